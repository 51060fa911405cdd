"""From the text of a file to a tree of values: YAML, and the references in it."""
