"""Uses of the operating system: clocks, sockets, processes, threads, files."""
