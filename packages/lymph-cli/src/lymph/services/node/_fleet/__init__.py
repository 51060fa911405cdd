"""The processes of a node: started, watched, replaced and ended; their sockets and output."""
