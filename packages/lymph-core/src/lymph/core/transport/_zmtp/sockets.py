"""What is done to a TCP socket before ZMTP is spoken on it."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from contextlib import suppress

from gevent.monkey import get_original

from lymph.core._system.inherited import adopt
from lymph.core._system.resolving import resolver
from lymph.core.transport.endpoints import join_tcp

__all__ = ['connects_to_itself', 'listen', 'prepare', 'unacknowledged']

# A link waits with watchers of its own, so gevent's layer above the socket would only cost time.
_Socket: type[socket.socket] = get_original('socket', 'socket')

_LOOK_UP = 5.0  # seconds

# Peers that do not answer PING are left to the kernel's probes: silent for 10 s, then every 5 s.
_OPTIONS = (
    (socket.IPPROTO_TCP, 'TCP_NODELAY', 1),
    (socket.SOL_SOCKET, 'SO_KEEPALIVE', 1),
    (socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 10),
    (socket.IPPROTO_TCP, 'TCP_KEEPINTVL', 5),
    (socket.IPPROTO_TCP, 'TCP_KEEPCNT', 4),
)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a plain, non-blocking socket that listens; raises OSError.

    That is the one that this process was started with for the port, if there is one. A host name is
    looked up without blocking the loop; of several addresses, IPv4 is taken.
    """
    inherited = adopt(host, port)
    if inherited is not None:
        return inherited
    found = resolver().addresses(host, port, _LOOK_UP)
    family, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    sock = _Socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, join_tcp(host, port)) from None
    return sock


def prepare(sock: socket.socket) -> socket.socket:
    """Return a plain, non-blocking socket in place of gevent's, with our options."""
    plain = _Socket(sock.family, sock.type, sock.proto, sock.detach())
    plain.setblocking(False)
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)  # not every platform has all of them
        if option is not None:
            with suppress(OSError):  # a connection that has ended is found out by reading
                plain.setsockopt(level, option, value)
    return plain


def connects_to_itself(sock: socket.socket) -> bool:
    """Tell whether a connection begins and ends at the same socket.

    TCP allows it: who connects to a free port of the ephemeral range may be given that very port.
    """
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False


def unacknowledged(sock: socket.socket) -> int:
    """Return how many bytes the kernel holds that the peer has no room for, or has not confirmed.

    0 on platforms that do not tell.
    """
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack('i', 0))
    except OSError:
        return 0
    return int(struct.unpack('i', answer)[0])
