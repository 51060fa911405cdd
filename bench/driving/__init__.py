"""How a client half runs its callers and hears its orders, without stopping its own machinery."""
