"""The owner's side: an instance as a file that stays locked for as long as its owner lives.

The theory of both sides (`entries` is the reader's):

- One file holds one instance, ``<key>~<random>.json``. A name is used once: neither a replacement
  nor a successor with the same key gets it again, so removing a dead name never hits a live file.
- The owner holds an exclusive flock. The kernel lets go of it when the process ends, in whatever
  way. A reader that gets a shared lock knows that the owner is dead, and removes the file. Shared,
  so that two readers who look at the same time do not take each other for the owner.
- The file is written and locked under another name and then renamed, so whoever sees the name sees
  a whole file and a held lock. A file that was left halfway has a name that is removed by readers
  who can lock it; an owner who loses it that way between opening and locking begins again.
- A replacement is there before what it replaces is gone.
- A file that somebody removed is made again, under a new name, when its owner notices (`upkeep`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from lymph.core._system.forks import abandon_in_children
from lymph.core._system.state import make_private
from lymph.discovery.names import escape

__all__ = ['UNFINISHED', 'Claim']

UNFINISHED = '.new-'  # begins the name of a file that is not yet complete
_ATTEMPTS = 20  # a reader must have swept as often as that, each time within microseconds


class Claim:
    """An instance known by `key` in `directory`, with `data` as what there is to know.

    Raises OSError when the file cannot be made, written or locked.
    """

    def __init__(self, directory: Path, key: str, data: bytes) -> None:
        self._directory = directory
        self._key = key
        self._data = data
        self.path, self._descriptor = self._make()
        abandon_in_children(self)

    def __repr__(self) -> str:
        return f'<Claim {self.path}>'

    @property
    def lost(self) -> bool:
        """Whether the file is no longer there under its name. Never waits."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return True
        own = os.fstat(self._descriptor)
        return (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)

    def restore(self) -> None:
        """Make the file again, under a new name; raises OSError, and is as before then."""
        lost = self._descriptor
        self.path, self._descriptor = self._make()
        os.close(lost)

    def release(self) -> None:
        """Take the file away; again is ignored."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self.path.unlink()
            self.abandon()
            with suppress(OSError):  # not the last one in it
                self.path.parent.rmdir()

    def abandon(self) -> None:
        """Leave the file to the parent process, which holds the same lock."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _make(self) -> tuple[Path, int]:
        path = self._directory / f'{escape(self._key)}~{secrets.token_hex(8)}.json'
        return path, _publish(path, self._data)


def _publish(path: Path, data: bytes) -> int:
    """Make `path` visible, complete and locked; returns the descriptor that holds the lock."""
    for _ in range(_ATTEMPTS):
        unfinished = path.with_name(f'{UNFINISHED}{secrets.token_hex(8)}')
        try:
            make_private(path.parent)
            descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileNotFoundError:
            continue  # the last instance in the directory left and took it along
        try:
            _fill(descriptor, unfinished, data)
            os.rename(unfinished, path)
            return descriptor
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)  # swept by a reader before it was locked
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            os.close(descriptor)
            raise
    raise OSError(errno.EAGAIN, 'others keep removing it', str(path))


def _fill(descriptor: int, path: Path, data: bytes) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    if not _keeps_locks(path):
        raise OSError(errno.ENOLCK, 'its file system does not keep locks; use a local one')


def _keeps_locks(path: Path) -> bool:
    """Tell whether others find `path` locked; some network file systems say yes to everybody."""
    other = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(other)
    return False
