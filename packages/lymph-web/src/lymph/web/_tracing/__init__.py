"""The trace of a request: its id, and W3C Trace Context."""
