"""`lymph top`: what it shows, keys, and the screen."""
