"""Compare the walks that ARCHITECTURE.md draws with the files that the code passes."""
