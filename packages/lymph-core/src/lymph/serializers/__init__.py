"""How values become bytes: msgpack on the wire, JSON where people read."""
