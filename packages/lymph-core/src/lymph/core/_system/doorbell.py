"""Doorbells: how processes of one machine wake each other after they changed a shared file.

A bell is a Unix datagram socket in a directory that both sides know. A ring carries no data: it
says "look again", so whoever hears it reads the files, and rings that pile up count as one.

- `on_ring` runs in gevent's hub, soon after a ring and never before the bell's constructor is
  done. It must not wait; it sets an event or starts a greenlet.
- Nobody waits for anybody: a bell whose owner is stopped or busy holds a few unread rings, and
  further ones are dropped, because its owner is going to look anyway.
- Several bells may have the same name (the consumers of one queue); `ring` reaches all of them.
  A name is any text; None rings every bell of the directory.
- A bell that died with its process is removed by a ring that finds it.
- To miss nothing: first make the bell, then read the files; and first change the files, then ring.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b

import gevent
from gevent.monkey import get_original

from lymph.core._system.forks import abandon_in_children

__all__ = ['Bells', 'Doorbell', 'ring']

_READ = 1  # libev's EV_READ
_RINGS = 64  # read in one go; the kernel keeps about ten (net.unix.max_dgram_qlen)
_PATH_LIMIT = 103  # bytes of a socket's path that every Unix takes (Linux 107, macOS 103)
_SETTLED = 1.0  # seconds; more than a file system's clock is coarse
_NO_DIRECTORY = (errno.EACCES, errno.ELOOP, errno.ENOENT, errno.ENOTDIR)
_BINDING = 10.0  # seconds for which a dead bell may be one that is just being bound

# Never gevent's: these sockets do not block, and gevent's are heavier.
_Socket: type[socket.socket] = get_original('socket', 'socket')


class Doorbell:
    """A bell called `name` in `directory`; `on_ring()` is called in the hub after each ring.

    Raises OSError when the directory is not there or not writable.
    """

    def __init__(self, directory: str | os.PathLike[str], name: str, on_ring: Callable[[], object]):
        self.path = os.path.join(directory, f'{_prefix(name)}{secrets.token_hex(8)}')
        self._on_ring = on_ring
        self._socket = _datagram_socket()
        try:
            with _address(self.path) as address:
                self._socket.bind(address)
        except BaseException:
            self._socket.close()
            raise
        self._watcher = gevent.get_hub().loop.io(self._socket.fileno(), _READ)
        self._watcher.start(self._hear)
        abandon_in_children(self)

    def __repr__(self) -> str:
        return f'<Doorbell {self.path}>'

    def close(self) -> None:
        """Take the bell away; again is ignored."""
        if self._socket.fileno() >= 0:
            self.abandon()
            with suppress(OSError):
                os.unlink(self.path)

    def abandon(self) -> None:
        """Hear no more and leave the file to its owner, the parent process."""
        self._watcher.stop()
        self._watcher.close()
        self._socket.close()

    def _hear(self) -> None:
        try:
            for _ in range(_RINGS):
                self._socket.recv(16)
        except BlockingIOError:
            pass
        self._on_ring()


def ring(directory: str | os.PathLike[str], name: str | None = None) -> int:
    """Ring every bell in `directory`, or those called `name`; returns how many there were.

    Never blocks and never fails for the sake of a bell; a directory that is not there, or cannot
    be listed, has none.
    """
    prefix = '' if name is None else _prefix(name)
    bells = [bell for bell in _list(directory) if bell.startswith(prefix)]
    return sum(_ring_one(os.path.join(directory, bell)) for bell in bells)


class Bells:
    """The bells of a directory, for whoever rings often: it is listed when it has changed.

    So a ring costs as much among a thousand bells as it does alone.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = directory
        self._listed: tuple[int, int] | None = None  # which state of the directory is known
        self._paths: dict[str, list[str]] = {}

    def ring(self, name: str) -> int:
        """Ring the bells called `name`; returns how many there were. As `ring` does."""
        state = self._state()
        if state is None or state != self._listed:
            # What changes within the same tick of the clock as the list was made would not be seen
            settled = state is not None and _age(state[1] / 1e9) > _SETTLED
            self._listed = state if settled else None
            self._paths = {}
            for bell in _list(self._directory):
                prefix = bell[: bell.find('.') + 1]
                self._paths.setdefault(prefix, []).append(os.path.join(self._directory, bell))
        return sum(_ring_one(path) for path in self._paths.get(_prefix(name), ()))

    def _state(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._directory)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns


def _list(directory: str | os.PathLike[str]) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError as error:
        if error.errno in _NO_DIRECTORY:
            return []
        raise


def _ring_one(path: str) -> bool:
    # A socket for each bell: unread rings count against their sender's buffer, so one socket for
    # all would fall silent as soon as a few hundred bells were slow to answer.
    with _datagram_socket() as sender:
        try:
            with _address(path) as address:
                sender.sendto(b'!', address)
        except BlockingIOError:
            return True  # as many rings as it holds are waiting for it
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                _remove_dead(path)
            return False
    return True


def _remove_dead(path: str) -> None:
    with suppress(OSError):
        found = os.lstat(path)
        # bind() makes the file a moment before it answers
        if stat.S_ISSOCK(found.st_mode) and _age(found.st_mtime) > _BINDING:
            os.unlink(path)


def _age(modified: float) -> float:
    """Return how far the time of a file is from now, which is its age unless the clock was set.

    After the clock was set back a file may be of the future; then it is not new either.
    """
    return abs(time.time() - modified)


def _datagram_socket() -> socket.socket:
    made = _Socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _prefix(name: str) -> str:
    return f'{blake2b(name.encode(), digest_size=8).hexdigest()}.'


@contextmanager
def _address(path: str) -> Iterator[str]:
    """Give an address for `path` that fits into sun_path, however long the path is."""
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        yield path
        return
    folder, bell = os.path.split(path)
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
        yield f'{short}/{bell}'
    finally:
        os.close(descriptor)
