"""Free ports for servers that are stopped and started again on the same port."""

from __future__ import annotations

import random
import socket
from pathlib import Path

__all__ = ['free_port']

_EPHEMERAL = Path('/proc/sys/net/ipv4/ip_local_port_range')
_LOWEST = 10000


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nobody listens.

    The port is outside the range that the system uses for outgoing connections. Otherwise a client
    that retries while the server is down could get this very port as its own: it would connect to
    itself, and the server could not start again.
    """
    first_ephemeral = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32768
    candidates = range(_LOWEST, first_ephemeral)
    for port in random.sample(candidates, k=min(100, len(candidates))):
        if _is_free(port):
            return port
    with socket.socket() as anywhere:
        anywhere.bind(('127.0.0.1', 0))
        return int(anywhere.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(('127.0.0.1', port))
        except OSError:
            return False
        return True
