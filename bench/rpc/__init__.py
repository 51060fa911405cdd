"""What a call costs: lymph next to bare sockets and to other frameworks."""
