"""Servers that tests start, kill and stop."""
