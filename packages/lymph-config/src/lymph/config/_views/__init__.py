"""How values are read, changed and made into objects."""
