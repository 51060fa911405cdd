"""Events as server-sent events: what a client may ask for, and how its stream is fed."""
