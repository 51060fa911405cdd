"""Metrics and limits for logs."""
