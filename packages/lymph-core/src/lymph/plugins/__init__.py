"""Plugins that come with lymph."""
