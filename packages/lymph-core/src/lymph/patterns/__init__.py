"""Patterns: ways for services to work together that are made of calls and events."""
