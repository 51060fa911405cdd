"""Errors for Sentry, and how they are sent. Needs the extra `sentry`."""
