"""The Model Context Protocol: allowed methods as tools of a language model."""
