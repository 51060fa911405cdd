"""What is written on a command line, read without doing anything."""
