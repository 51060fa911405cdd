"""What the operating system gives: clocks, sockets, processes, threads, files."""
