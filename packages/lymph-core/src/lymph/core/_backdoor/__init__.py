"""A Python prompt inside a running container, for users who have its token."""
