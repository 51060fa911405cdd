"""Who owns leases and temporary queues, and what becomes of them when an owner dies.

- An owner is a running instance: a row, and a file that it holds under flock. The kernel lets go of
  the lock when the process ends, in whatever way, so a file that can be locked has a dead owner.
- The file is there and locked before the row is, so a row without a file has lost it (somebody
  cleaned up). Such an owner is dead when it has not renewed its row in time.
- What a dead owner had leased is ready again, with its attempts counted; what was lost too often
  goes to the dead letters. Its temporary queues and its claims go with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lymph.core._system.forks import abandon_in_children
from lymph.events._embedded.claims import take_back
from lymph.events._embedded.clock import Database
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.routing import withdraw

__all__ = [
    'Found',
    'OwnerFile',
    'UnknownOwner',
    'dismiss',
    'dismiss_former',
    'enroll',
    'expect_known',
    'look_around',
    'renew',
]

_ID_BITS = 62
_EXPIRY = 60.0  # seconds after which an owner without a file is dead, unless it renewed its row


class UnknownOwner(StoreError):
    """Others took this owner for dead, or it was one of a database that was lost."""

    def __init__(self) -> None:
        super().__init__('the others do not know this instance; it makes itself known again')


class OwnerFile:
    """A file that stays locked while this process lives. Raises OSError when it cannot be had."""

    def __init__(self, directory: Path) -> None:
        self.token = secrets.token_hex(8)
        self._path = directory / self.token
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        abandon_in_children(self)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_held(self._path):
            self.close()
            raise OSError(errno.ENOLCK, 'its file system does not keep locks; use a local one')

    def in_place(self) -> bool:
        """Tell whether others can still find the file."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def close(self) -> None:
        """Take the file away; again is ignored."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._path)
            self.abandon()

    def abandon(self) -> None:
        """Leave the file to the parent process, which holds the same lock."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


@dataclass(frozen=True)
class Found:
    """What a look around found.

    `living` are the processes of other owners, `unknown` how many of them live in another
    namespace of process numbers, `queues` those that others can have something of now, `bells`
    how many there are unless some belong to the dead.
    """

    living: frozenset[int]
    unknown: int
    queues: frozenset[str]
    bells: int


def enroll(db: sqlite3.Connection, token: str, namespace: str | None) -> int:
    """Make an owner of the instance that holds the file called `token`; returns its id.

    A number of its own, also in a database that was made anew or is an older copy of this one: what
    was leased in one is never settled in another.
    """
    owner = secrets.randbits(_ID_BITS) + 1
    row = (owner, token, os.getpid(), namespace, time.monotonic() + _EXPIRY)
    db.execute(
        'INSERT INTO owners (id, token, pid, namespace, expires) VALUES (?, ?, ?, ?, ?)', row
    )
    return owner


def expect_known(db: sqlite3.Connection, owner: int) -> None:
    """Raise UnknownOwner for an owner that is not known."""
    if db.execute('SELECT 1 FROM owners WHERE id = ?', (owner,)).fetchone() is None:
        raise UnknownOwner()


def dismiss_former(db: Database, tokens: Iterable[str]) -> None:
    """Forget all owners that an instance was which had these files."""
    for token in tokens:
        for (owner,) in db.execute('SELECT id FROM owners WHERE token = ?', (token,)).fetchall():
            dismiss(db, owner)


def renew(db: sqlite3.Connection, owner: int, token: str) -> bool:
    """Say that `owner` lives and holds the file `token`; returns whether it is still known."""
    sql = 'UPDATE owners SET token = ?, expires = ? WHERE id = ?'
    return db.execute(sql, (token, time.monotonic() + _EXPIRY, owner)).rowcount > 0


def look_around(db: Database, owner: int, directory: Path, namespace: str | None) -> Found:
    """Dismiss the other owners that are dead; `namespace` is that of this process."""
    living, unknown, queues = set(), 0, set()
    rows = db.execute(
        'SELECT id, token, pid, namespace, expires FROM owners WHERE id != ?', (owner,)
    ).fetchall()
    for other, token, pid, their_namespace, expires in rows:
        if _is_dead(directory / token, expires):
            queues |= dismiss(db, other)
            with suppress(OSError):
                os.unlink(directory / token)
        elif their_namespace == namespace:
            living.add(pid)
        else:
            unknown += 1
    _sweep(directory, {token for _, token, *_ in rows})
    (bells,) = db.execute(
        'SELECT (SELECT count(*) FROM consumers) + (SELECT count(*) FROM owners)'
    ).fetchone()
    return Found(frozenset(living), unknown, frozenset(queues), bells)


def dismiss(db: Database, owner: int) -> set[str]:
    """Forget an owner; returns the queues that others can have something of now."""
    queues = take_back(db, 'owner = ?', owner, 'its consumer ended')
    claimed = db.execute(
        'SELECT name FROM claims JOIN queues ON queues.id = queue WHERE owner = ?', (owner,)
    ).fetchall()
    db.execute('DELETE FROM claims WHERE owner = ?', (owner,))
    db.execute('DELETE FROM owners WHERE id = ?', (owner,))
    withdraw(db, owner)
    return queues.union(name for (name,) in claimed)


def _sweep(directory: Path, known: set[str]) -> None:
    """Remove the files of owners that died before they were known."""
    for name in os.listdir(directory):
        path = directory / name
        with suppress(OSError):
            # either way: the wall clock may have been set since
            old = abs(time.time() - os.stat(path).st_mtime) > _EXPIRY
            if name not in known and old and not _is_held(path):
                os.unlink(path)


def _is_dead(path: Path, expires: float) -> bool:
    try:
        return not _is_held(path)
    except FileNotFoundError:
        now = time.monotonic()
        return not now <= expires <= now + _EXPIRY  # later: it is of an earlier boot
    except OSError:
        return False  # it cannot be told now: too many open files


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # shared, so that two who look at the same time do not take each other for the owner
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
