"""The contract of event systems, a chapter each."""
