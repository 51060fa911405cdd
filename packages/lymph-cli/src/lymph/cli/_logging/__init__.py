"""Logging as the configuration and the command line want it."""
