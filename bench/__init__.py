"""Measurements: what lymph costs, next to what else there is. Nothing here asserts a time."""
