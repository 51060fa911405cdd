"""What it costs to check and convert arguments by their annotations."""
