"""Annotations as a contract: arguments, payloads and results are checked by them and converted."""
