"""One run of `lymph`: the group of commands, signals, streams, mistakes and exit codes."""
