"""Calls out: choose an instance, send, wait, try again."""
