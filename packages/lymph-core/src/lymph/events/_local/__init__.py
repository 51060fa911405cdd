"""The event system of one process."""
