"""Protocol logic that gets bytes and facts and returns decisions: no socket, greenlet or clock."""
