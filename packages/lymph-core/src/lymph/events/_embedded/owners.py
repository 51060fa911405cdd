"""Who owns leases and temporary queues, and what becomes of them when an owner dies.

- An owner is a running instance: a row, and a file that it holds under flock. The kernel lets go of
  the lock when the process ends, in whatever way, so a file that can be locked has a dead owner.
- The file is there and locked before the row is, so a row without a file has lost it (somebody
  cleaned up). Such an owner is dead when it has not renewed its row in time.
- What a dead owner had leased is ready again, with its attempts counted; what was lost too often
  goes to the dead letters. Its temporary queues and its claims go with it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lymph.core._system.clocks import file_age
from lymph.core._system.lock_files import owner_state
from lymph.events._embedded.claims import take_back
from lymph.events._embedded.clock import Database
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.routing import withdraw

__all__ = [
    'Found',
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
            old = file_age(os.stat(path).st_mtime) > _EXPIRY
            if name not in known and old and owner_state(path) == 'dead':
                os.unlink(path)


def _is_dead(path: Path, expires: float) -> bool:
    state = owner_state(path)
    if state == 'missing':
        now = time.monotonic()
        return not now <= expires <= now + _EXPIRY  # later: it is of an earlier boot
    return state == 'dead'
