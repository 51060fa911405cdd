"""Wake-ups: processes of one machine notify each other that a shared file has changed.

A process that waits binds a Unix datagram socket in a directory that all processes know. A wake-up
carries no data: it makes the receiver read the files again. Several wake-ups may count as one. The
sockets are files::

    <directory>/<hash of the name>.<random>

- `on_wakeup` runs in gevent's hub, soon after a wake-up and never before the constructor of the
  socket has returned. It must not wait; it may set an event or start a greenlet.
- Sending never blocks. The socket of a stopped or busy process holds a few unread wake-ups, and
  further ones are dropped. That loses nothing, since its owner will read the files anyway.
- Several sockets may have the same name (the consumers of one queue); `wake` reaches all of them.
  A name is any text.
- The socket of a dead process is removed by the first wake-up that finds it.
- To miss nothing, bind the socket before you read the files, and change the files before you wake
  others.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import gevent
from gevent.monkey import get_original

from lymph.core._system.clocks import file_age
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.state import make_private
from lymph.core.failures import error_text

__all__ = ['Waker', 'WakeupSocket', 'is_deaf', 'wake']

logger = logging.getLogger(__name__)

_READ = 1  # libev's EV_READ
_READS = 64  # wake-ups read at once; the kernel queues about ten (net.unix.max_dgram_qlen)
_PATH_LIMIT = 103  # bytes of a socket's path that every Unix accepts (Linux 107, macOS 103)
_COARSE = 1.0  # seconds; longer than one tick of a file system's clock
_NO_DIRECTORY = (errno.EACCES, errno.ELOOP, errno.ENOENT, errno.ENOTDIR)
_BINDING = 10.0  # seconds; a younger socket that refuses datagrams may not be bound yet

# Not gevent's, even under monkey patching: these sockets never block, and gevent's cost more.
_Socket: type[socket.socket] = get_original('socket', 'socket')


class WakeupSocket:
    """Calls `on_wakeup()` in the hub after each wake-up for `name` in `directory`.

    Raises OSError, with the path, if the directory is missing or cannot be written to. In a forked
    child the copy is closed; the socket stays the parent's.
    """

    def __init__(
        self, directory: str | os.PathLike[str], name: str, on_wakeup: Callable[[], object]
    ) -> None:
        self._directory = directory
        self._name = name
        self._on_wakeup = on_wakeup
        self._bind()
        abandon_in_children(self)

    def __repr__(self) -> str:
        return f'<WakeupSocket {self.path}>'

    @property
    def in_place(self) -> bool:
        """Whether others still find the socket: its file was not removed."""
        return os.path.exists(self.path)

    def restore(self) -> None:
        """Bind a new socket if the file of this one was removed; make the directory if missing.

        If this raises OSError, the old socket stays in use, since its file may come back. A closed
        socket stays closed.
        """
        if self._socket.fileno() >= 0 and not self.in_place:
            path, bound, watcher = self.path, self._socket, self._watcher
            make_private(Path(self._directory))
            self._bind()
            _release(bound, watcher)
            with suppress(OSError):
                os.unlink(path)

    def close(self) -> None:
        """Close the socket and remove its file. Idempotent."""
        if self._socket.fileno() >= 0:
            self.abandon()
            with suppress(OSError):
                os.unlink(self.path)

    def abandon(self) -> None:
        """Close the socket and leave its file to the owner, the parent process."""
        _release(self._socket, self._watcher)

    def _bind(self) -> None:
        path = os.path.join(self._directory, f'{_prefix(self._name)}{secrets.token_hex(8)}')
        bound = _datagram_socket()
        try:
            with _address(path) as address:
                bound.bind(address)
        except BaseException as error:
            bound.close()
            if isinstance(error, OSError):
                error.filename = path  # bind() does not set it
            raise
        self.path, self._socket = path, bound
        self._watcher = gevent.get_hub().loop.io(bound.fileno(), _READ)
        self._watcher.start(self._receive)

    def _receive(self) -> None:
        try:
            for _ in range(_READS):
                self._socket.recv(16)
        except BlockingIOError:
            pass
        self._on_wakeup()


def wake(directory: str | os.PathLike[str], name: str | None = None) -> int:
    """Wake all sockets in `directory`, or those called `name`; return how many were woken.

    Never blocks and raises nothing. A directory that is missing or cannot be listed counts as
    empty. Errors of this process, such as too many open files, are logged.
    """
    prefix = '' if name is None else _prefix(name)
    try:
        sockets = [each for each in _list(directory) or () if each.startswith(prefix)]
        return sum(_wake_one(os.path.join(directory, each)) for each in sockets)
    except OSError as error:
        logger.warning('cannot wake those who wait in %s: %s', directory, error_text(error))
        return 0


class Waker:
    """Wakes sockets of one directory often; lists the directory only when it has changed.

    So the cost of a wake-up does not depend on the number of sockets in the directory.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = directory
        self._listed: tuple[int, int] | None = None  # state of the directory when it was listed
        self._paths: dict[str, list[str]] = {}  # hash of a name -> paths of its sockets
        self._names: set[str] = set()  # to wake at the end of this turn of the loop
        self._hub = gevent.get_hub()

    def wake(self, name: str) -> int:
        """Wake the sockets called `name`; return how many were woken. Never blocks.

        Raises OSError for a lack of resources in this process, such as too many open files.
        """
        state = self._state()
        if state is None or state != self._listed:
            self._listed, self._paths = None, {}
            names = _list(self._directory)
            for each in names or ():
                prefix = each[: each.find('.') + 1]
                self._paths.setdefault(prefix, []).append(os.path.join(self._directory, each))
            # Do not store the list if the directory may change again within the same tick of the
            # file system's clock, which would not change `state`, nor if it could not be listed.
            if state is not None and names is not None and file_age(state[1] / 1e9) > _COARSE:
                self._listed = state
        return sum(_wake_one(path) for path in self._paths.get(_prefix(name), ()))

    def wake_soon(self, name: str) -> None:
        """Wake the sockets called `name` once at the end of this turn of the loop."""
        if not self._names:
            self._hub.loop.run_callback(self.flush)
        self._names.add(name)

    def flush(self) -> None:
        """Wake the sockets that `wake_soon` has collected. Failures are logged, never raised."""
        names, self._names = self._names, set()
        for name in names:
            try:
                self.wake(name)
            except Exception as error:  # noqa: BLE001 - consumers also poll the files in time
                logger.warning('cannot wake those who wait for %s: %s', name, error_text(error))

    def _state(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._directory)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def is_deaf(path: str | os.PathLike[str]) -> bool:
    """Tell whether the process that bound the socket at `path` has ended. Sends nothing."""
    with suppress(OSError), _datagram_socket() as sender, _address(os.fspath(path)) as address:
        return sender.connect_ex(address) == errno.ECONNREFUSED
    return False


def _list(directory: str | os.PathLike[str]) -> list[str] | None:
    """Return the names in `directory`; None if it is missing or cannot be listed.

    Raises OSError for a lack of resources in this process, such as too many open files.
    """
    try:
        return os.listdir(directory)
    except OSError as error:
        if error.errno in _NO_DIRECTORY:
            return None
        raise


def _wake_one(path: str) -> bool:
    # A new socket for each wake-up: unread datagrams count against the buffer of their sender, so a
    # shared socket could not send any more once a few hundred receivers were slow.
    with _datagram_socket() as sender:
        try:
            with _address(path) as address:
                sender.sendto(b'!', address)
        except BlockingIOError:
            return True  # its queue is full of unread wake-ups
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                _remove_deaf(path)
            return False
    return True


def _remove_deaf(path: str) -> None:
    with suppress(OSError):
        found = os.lstat(path)
        # bind() makes the file a moment before the socket accepts datagrams.
        if stat.S_ISSOCK(found.st_mode) and file_age(found.st_mtime) > _BINDING:
            os.unlink(path)


def _release(bound: socket.socket, watcher: Any) -> None:
    watcher.stop()
    watcher.close()
    bound.close()


def _datagram_socket() -> socket.socket:
    made = _Socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _prefix(name: str) -> str:
    return f'{blake2b(name.encode(), digest_size=8).hexdigest()}.'


@contextmanager
def _address(path: str) -> Iterator[str]:
    """Yield an address for `path` that fits into sun_path (unix(7)), however long the path is."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield path
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = f'/proc/self/fd/{descriptor}'
        if not os.path.isdir(short):
            raise OSError(
                errno.ENAMETOOLONG,
                f'expected a path of at most {_PATH_LIMIT} bytes for a socket; '
                'set LYMPH_STATE_DIR to a shorter one',
                path,
            )
        yield f'{short}/{name}'
    finally:
        os.close(descriptor)
