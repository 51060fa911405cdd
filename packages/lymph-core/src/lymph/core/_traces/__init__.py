"""One trace, put together from what many instances did lately."""
