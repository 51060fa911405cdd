"""Test cases that run services in one process."""
