"""The contract of service registries, a chapter each."""
