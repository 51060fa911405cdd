"""Pure protocol logic: takes bytes and facts, returns decisions; no sockets, greenlets, clocks."""
