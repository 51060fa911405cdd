"""The files of unix sockets: made with their mode at once, and replaced only if nobody listens.

A process that is killed leaves the file of its socket behind, and nobody can bind a socket to it
again. Whether somebody listens is found out by connecting. Processes that start at the same time
could take each other's new file for an old one: a lock on the folder lets one do this after the
other.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from typing import Final, NamedTuple

from gevent.monkey import get_original

from lymph.core._system.lock_files import locked_folder

__all__ = ['LONGEST_PATH', 'SocketFile', 'bind_file']

#: Bytes of a path: `sun_path` has 108, one of them a zero.
LONGEST_PATH: Final = 107

_Socket: type[socket.socket] = get_original('socket', 'socket')


class SocketFile(NamedTuple):
    """The file of a bound socket."""

    path: str
    device: int
    inode: int

    def remove(self) -> None:
        """Remove the file, unless another one has taken its place."""
        with suppress(OSError):
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                os.unlink(self.path)


def bind_file(path: str, mode: int, backlog: int) -> tuple[socket.socket, SocketFile]:
    """Return a socket that listens at a path, and its file. Blocks; does not use gevent.

    Raises OSError: EADDRINUSE if a socket listens there, EEXIST if there is anything else than a
    socket.
    """
    sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with suppress(OSError):
            os.fchmod(sock.fileno(), mode)  # Linux: the file has no wider mode at any time
        with locked_folder(os.path.dirname(path)):
            _remove_stale(path)
            sock.bind(path)
            os.chmod(path, mode)  # whatever the umask is
            sock.listen(backlog)
            made = os.lstat(path)
    except OSError:
        sock.close()
        raise
    return sock, SocketFile(path, made.st_dev, made.st_ino)


def _remove_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, 'there is a file that is not a socket')
    with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its queue is full
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
