"""The container, its interfaces and what travels between them."""
