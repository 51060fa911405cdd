"""What a container does with its interfaces: serve calls, consume events, register instances."""
