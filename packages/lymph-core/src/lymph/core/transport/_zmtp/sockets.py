"""Preparing TCP sockets for ZMTP."""

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

# Links have watchers of their own, so gevent's socket class would only cost time.
_Socket: type[socket.socket] = get_original('socket', 'socket')

_LOOK_UP = 5.0  # seconds to look up a host name

# For peers that do not answer PING the kernel sends probes: after 10 s of silence, then every 5 s.
_OPTIONS = (
    (socket.IPPROTO_TCP, 'TCP_NODELAY', 1),
    (socket.SOL_SOCKET, 'SO_KEEPALIVE', 1),
    (socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 10),
    (socket.IPPROTO_TCP, 'TCP_KEEPINTVL', 5),
    (socket.IPPROTO_TCP, 'TCP_KEEPCNT', 4),
)


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a plain, non-blocking socket that listens; raises OSError.

    If the process has inherited a socket for the port, it is used. A host name is looked up without
    blocking the loop; an IPv4 address is preferred.
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
    """Return a plain, non-blocking socket for the connection of `sock`, with our options set."""
    plain = _Socket(sock.family, sock.type, sock.proto, sock.detach())
    plain.setblocking(False)
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)  # some platforms lack some of them
        if option is not None:
            with suppress(OSError):  # if the connection has ended, reading will report it
                plain.setsockopt(level, option, value)
    return plain


def connects_to_itself(sock: socket.socket) -> bool:
    """Tell whether a connection begins and ends at the same socket.

    TCP allows it: connecting to a free port of the ephemeral range may use that port as the source.
    """
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False


def unacknowledged(sock: socket.socket) -> int:
    """Return the bytes in the kernel's send buffer that the peer has not acknowledged.

    Returns 0 on platforms without TIOCOUTQ.
    """
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, struct.pack('i', 0))
    except OSError:
        return 0
    return int(struct.unpack('i', answer)[0])
