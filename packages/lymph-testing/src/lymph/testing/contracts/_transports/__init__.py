"""The contract of transports, a chapter each."""
