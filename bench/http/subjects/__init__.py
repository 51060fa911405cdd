"""The same page from each server: ``GET /hello/<name>`` is answered with ``hello <name>``."""
