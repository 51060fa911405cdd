"""Mocked calls and events, and what is expected of them."""
