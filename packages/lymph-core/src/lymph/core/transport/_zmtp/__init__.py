"""ZMTP on gevent sockets."""
