"""ZeroMQ through libzmq."""
