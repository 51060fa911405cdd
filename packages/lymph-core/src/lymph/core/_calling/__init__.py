"""Outgoing calls: choose an instance, send, wait, retry."""
