"""What an interface's section of the configuration can set: one module for each option."""
