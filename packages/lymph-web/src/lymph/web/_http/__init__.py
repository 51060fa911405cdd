"""HTTP/1.1: heads and bodies read, answers written, connections kept and closed."""
