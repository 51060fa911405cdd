"""The event system of one machine: one SQLite file."""
