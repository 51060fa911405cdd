"""The connections that libzmq holds, seen through their file descriptors.

libzmq has no call that ends one connection of a ROUTER. To shut its socket down from outside has
the same effect as a peer that leaves: libzmq cleans up and its monitor tells so. The descriptor
itself stays libzmq's; its inode shows whether it is still the connection that was meant.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gevent.monkey import get_original

from lymph.core.transport.endpoints import join_tcp

__all__ = ['close_inherited', 'inode_of', 'peer_of', 'shut_down']

_Socket: type[socket.socket] = get_original('socket', 'socket')


def inode_of(descriptor: int) -> int | None:
    """Return what tells this connection from others that get the same descriptor later."""
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def peer_of(descriptor: int) -> str | None:
    """Return the ``tcp://`` endpoint of the other side, None when it has none."""
    try:
        with _copy_of(descriptor) as sock:
            address = sock.getpeername()
    except OSError:
        return None
    return join_tcp(address[0], address[1]) if isinstance(address, tuple) else None


def shut_down(descriptor: int, inode: int | None) -> None:
    """End a connection, unless `descriptor` is another one by now."""
    with suppress(OSError), _copy_of(descriptor) as sock:
        if inode is not None and inode_of(sock.fileno()) == inode:
            sock.shutdown(socket.SHUT_RDWR)


def close_inherited(descriptor: int, inode: int | None) -> None:
    """Close a forked child's copy of a connection, unless `descriptor` is another one by now.

    libzmq does not run in the child; open copies would keep the parent's peers from noticing that
    the parent has ended.
    """
    if inode is not None and inode_of(descriptor) == inode:
        os.close(descriptor)


@contextmanager
def _copy_of(descriptor: int) -> Iterator[socket.socket]:
    """Lend a socket of its own for a connection; raises OSError for what is none any more.

    libzmq's threads may close the descriptor at any moment, and it may be that of a file then.
    """
    copy = os.dup(descriptor)
    try:
        sock = _Socket(fileno=copy)
    except BaseException:
        os.close(copy)
        raise
    with sock:
        yield sock
