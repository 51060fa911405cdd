"""The types that travel, in msgpack and in marked JSON."""
