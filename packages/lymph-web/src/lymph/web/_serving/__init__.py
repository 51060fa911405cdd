"""Sockets of the HTTP server: listening, accepting, TLS, and what reads and writes."""
