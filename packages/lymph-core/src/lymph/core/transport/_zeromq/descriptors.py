"""The connections that libzmq holds, seen through their file descriptors.

libzmq has no call that ends one connection of a ROUTER. Shutting its socket down from outside has
the same effect as a peer that disconnects: libzmq cleans up and its monitor reports the end. The
descriptor stays libzmq's; its inode shows whether it still is the same connection.
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
    """Return the inode of a connection, None if it is closed.

    It distinguishes the connection from others that get the same descriptor later.
    """
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def peer_of(descriptor: int) -> str | None:
    """Return the ``tcp://`` endpoint of the other side, None if it has none."""
    try:
        with _copy_of(descriptor) as sock:
            address = sock.getpeername()
    except OSError:
        return None
    return join_tcp(address[0], address[1]) if isinstance(address, tuple) else None


def shut_down(descriptor: int, inode: int | None) -> None:
    """End a connection, unless `descriptor` belongs to another one by now."""
    with suppress(OSError), _copy_of(descriptor) as sock:
        if inode is not None and inode_of(sock.fileno()) == inode:
            sock.shutdown(socket.SHUT_RDWR)


def close_inherited(descriptor: int, inode: int | None) -> None:
    """Close a forked child's copy of a connection, unless `descriptor` belongs to another one.

    libzmq does not run in the child. If copies stayed open, the parent's peers would not notice the
    end of the parent.
    """
    if inode is not None and inode_of(descriptor) == inode:
        os.close(descriptor)


@contextmanager
def _copy_of(descriptor: int) -> Iterator[socket.socket]:
    """Yield a socket for a duplicate of a connection; raises OSError if it is closed.

    A duplicate is used because libzmq's threads may close the descriptor at any moment; then it may
    even belong to a file.
    """
    copy = os.dup(descriptor)
    try:
        sock = _Socket(fileno=copy)
    except BaseException:
        os.close(copy)
        raise
    with sock:
        yield sock
