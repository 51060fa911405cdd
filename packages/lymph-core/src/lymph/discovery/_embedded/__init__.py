"""The registry of one machine: locked files."""
