"""What a stranger adds to lymph by entry points alone."""
