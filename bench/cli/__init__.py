"""How long command lines take from their start to their end."""
