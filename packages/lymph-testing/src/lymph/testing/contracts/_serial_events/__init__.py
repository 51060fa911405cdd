"""The processes of the contract of serial events."""
