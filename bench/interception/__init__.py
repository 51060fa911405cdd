"""What interceptors add to a unit of work."""
