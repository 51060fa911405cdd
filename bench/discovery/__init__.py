"""What it takes to find a service: lookups, and how soon instances are found and forgotten."""
