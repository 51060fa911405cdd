"""A Python prompt inside of a running container, for whoever has its token."""
