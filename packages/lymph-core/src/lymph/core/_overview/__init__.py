"""The state of all services: two polls of all instances, and what differs between them."""
