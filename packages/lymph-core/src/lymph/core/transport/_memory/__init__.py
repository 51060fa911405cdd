"""Links within one process."""
