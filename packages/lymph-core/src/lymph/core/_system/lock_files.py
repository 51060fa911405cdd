"""Lock files: a process shows the other processes of its machine that it is alive.

A lock file has one owner, which holds an exclusive lock on it (flock(2)) until it ends:

- The kernel releases the lock when the process ends, in whatever way. A process that can lock the
  file therefore knows that its owner is dead, and may remove the file.
- Readers try a shared lock, so two readers at the same time do not take each other for the owner.
- The file is written and locked under a temporary name and then renamed. Under its final name it is
  always complete and locked. A temporary file that a crash has left can be locked, and is removed
  like any other; an owner whose temporary file is removed before it is locked makes another one.
- Names are never reused, so removing the file of a dead owner cannot remove that of a live one.
- The lock belongs to the open file, which forked children share. They close it
  (`lymph.core._system.forks`), but a child between fork and exec may hold the lock for a moment
  after its parent has died: check several times after a death (`lymph.core._system.suspects`).

The file system has to support locks; some network file systems grant every lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from gevent.monkey import get_original

from lymph.core._system.forks import abandon_in_children
from lymph.core._system.state import make_private

__all__ = [
    'TEMPORARY',
    'FileMutex',
    'LockFile',
    'OwnerState',
    'is_at',
    'is_locked',
    'locked_folder',
    'owner_state',
    'remove_dead',
]

#: The beginning of the names of files that their owners have not finished.
TEMPORARY = '.new-'
_PAUSE = 0.01  # seconds between two attempts to lock a folder
_ATTEMPTS = 20  # it fails only if readers remove so many files, each within microseconds
# Do not follow a link, and do not wait for a pipe, in place of the file.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK

_sleep = get_original('time', 'sleep')

#: 'unknown': the file cannot be opened now (too many open files, permissions), or is not a regular
#: file. Such an owner must not be treated as dead.
OwnerState = Literal['alive', 'dead', 'missing', 'unknown']


class LockFile:
    """A file at `path` that contains `data`, locked until `release` or the end of the process.

    Missing directories are made, with mode 0700; the file has mode 0600. Raises OSError if it
    cannot be made, written or locked: ENOLCK if the file system does not support locks, EAGAIN if
    other processes keep removing the temporary file.

    In a forked child the copy is closed, and the parent keeps the lock.
    """

    def __init__(self, path: Path, data: bytes = b'') -> None:
        self.path = path
        self._descriptor = _publish(path, data)
        abandon_in_children(self)

    def __repr__(self) -> str:
        return f'<LockFile {self.path}>'

    @property
    def in_place(self) -> bool:
        """Whether others still find this file at `path`: it was not removed or replaced."""
        return is_at(self._descriptor, self.path)

    def release(self) -> None:
        """Remove the file and release the lock. Idempotent; errors of the removal are ignored."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self.path.unlink()
            self.abandon()

    def abandon(self) -> None:
        """Close the file without removing it. Idempotent.

        The lock is held as long as a parent or child process has the file open.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class FileMutex:
    """A mutex for all threads of all processes on this machine that use the file at `path`.

    Waiting threads sleep in the kernel, which wakes them in order. The lock belongs to this object,
    not to the process: two objects for one path exclude each other within a process, too. The end
    of a process releases its locks. Raises OSError if the file cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        abandon_in_children(self)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the mutex inside the block. Blocks the native thread until it is free."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the mutex cannot be held any more. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    abandon = close  # an open copy in a child would still hold the lock of a killed parent


@contextmanager
def locked_folder(path: str | os.PathLike[str], timeout: float = 2.0) -> Iterator[None]:
    """Hold a lock on a folder inside the block, so that other processes change it before or after.

    It excludes those that lock it, too, and leaves no file behind. Blocks the native thread; raises
    OSError (EBUSY) if the folder is still locked after `timeout` seconds.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + timeout
        while not _locks(descriptor):
            if time.monotonic() >= deadline:
                raise OSError(errno.EBUSY, 'another process keeps its folder locked')
            _sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def owner_state(path: Path) -> OwnerState:
    """Tell whether the owner of a lock file is alive. Raises nothing."""
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return 'missing'
    except OSError:
        return 'unknown'
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return 'unknown'
        return 'alive' if is_locked(descriptor) else 'dead'
    finally:
        os.close(descriptor)


def is_locked(descriptor: int) -> bool:
    """Tell whether an open lock file is locked by its owner; True if that is unknown.

    If it is not locked, `descriptor` holds a shared lock afterwards, until it is closed.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Tell whether an open file is still the one at `path`; False for a closed one."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_dead(directory: Path) -> None:
    """Remove the lock files in `directory` whose owners are dead; errors are ignored."""
    with suppress(OSError):
        for path in list(directory.iterdir()):
            if owner_state(path) == 'dead':
                with suppress(OSError):
                    path.unlink()


def _publish(path: Path, data: bytes) -> int:
    """Make the file at `path`, complete and locked; return the descriptor that holds the lock."""
    for _ in range(_ATTEMPTS):
        temporary = path.with_name(f'{TEMPORARY}{secrets.token_hex(8)}')
        try:
            make_private(path.parent)
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileNotFoundError:
            continue  # another process has just removed the directory, which was empty
        try:
            _fill(descriptor, temporary, data)
            os.rename(temporary, path)
            return descriptor
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)  # a reader has locked or removed it before it was locked here
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            os.close(descriptor)
            raise
    raise OSError(errno.EAGAIN, 'other processes keep removing it', str(path))


def _fill(descriptor: int, path: Path, data: bytes) -> None:
    """Lock and write a new file, and check that the file system enforces the lock."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    other = os.open(path, os.O_RDONLY)
    try:
        if not is_locked(other):
            raise OSError(errno.ENOLCK, 'its file system does not keep locks; use a local one')
    finally:
        os.close(other)
