"""The owners of leases and temporary queues, and what is done when one dies.

- An owner is a running instance that consumes. It has a row, and a lock file that tells whether it
  is alive (`lymph.core._system.lock_files`).
- The file is locked before the row is written. So a row without a file belongs to an owner whose
  file was removed; it is dead when it has not renewed its row for `_EXPIRY` seconds.
- The events that a dead owner had leased are ready again, with their attempts counted; those that
  were lost too often become dead letters. Its temporary queues and its claims are deleted.

Every function runs in a transaction, in the thread of the committer.
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
    'OtherOwners',
    'UnknownOwner',
    'check_others',
    'enroll',
    'expect_known',
    'remove_former',
    'remove_owner',
    'renew',
]

_ID_BITS = 62
_EXPIRY = 60.0  # seconds after which an owner without a file is dead, unless it renewed its row


class UnknownOwner(StoreError):
    """Other owners took this one for dead, or it belongs to a database that was lost."""

    def __init__(self) -> None:
        super().__init__('the others do not know this instance; it makes itself known again')


@dataclass(frozen=True)
class OtherOwners:
    """What a check of the other owners found.

    =============  =============================================================================
    `living`       processes of live owners
    `elsewhere`    how many live owners have process ids of another namespace, in a container
    `queues`       queues that got events back from dead owners
    `sockets`      how many wake-up sockets the live owners have
    =============  =============================================================================
    """

    living: frozenset[int]
    elsewhere: int
    queues: frozenset[str]
    sockets: int


def enroll(db: sqlite3.Connection, token: str, namespace: str | None) -> int:
    """Add an owner with the lock file `token`; return its id.

    The id is random: it is not used in another database, one that was made anew or is an older
    copy, so an event that was leased in one is never settled in another.
    """
    owner = secrets.randbits(_ID_BITS) + 1
    row = (owner, token, os.getpid(), namespace, time.monotonic() + _EXPIRY)
    db.execute(
        'INSERT INTO owners (id, token, pid, namespace, expires) VALUES (?, ?, ?, ?, ?)', row
    )
    return owner


def expect_known(db: sqlite3.Connection, owner: int) -> None:
    """Raise UnknownOwner unless `owner` has a row."""
    if db.execute('SELECT 1 FROM owners WHERE id = ?', (owner,)).fetchone() is None:
        raise UnknownOwner()


def renew(db: sqlite3.Connection, owner: int, token: str) -> bool:
    """Note that `owner` lives and has the lock file `token`; return whether it has a row."""
    sql = 'UPDATE owners SET token = ?, expires = ? WHERE id = ?'
    return db.execute(sql, (token, time.monotonic() + _EXPIRY, owner)).rowcount > 0


def check_others(db: Database, owner: int, directory: Path, namespace: str | None) -> OtherOwners:
    """Remove all owners except `owner` that are dead; return what is known of the others.

    `directory` has their lock files; `namespace` is that of the process ids of this process.
    """
    living, elsewhere, queues = set(), 0, set()
    rows = db.execute(
        'SELECT id, token, pid, namespace, expires FROM owners WHERE id != ?', (owner,)
    ).fetchall()
    for other, token, pid, their_namespace, expires in rows:
        if _is_dead(directory / token, expires):
            queues |= remove_owner(db, other)
            with suppress(OSError):
                os.unlink(directory / token)
        elif their_namespace == namespace:
            living.add(pid)
        else:
            elsewhere += 1
    _remove_unknown(directory, {token for _, token, *_ in rows})
    (sockets,) = db.execute(
        'SELECT (SELECT count(*) FROM consumers) + (SELECT count(*) FROM owners)'
    ).fetchone()
    return OtherOwners(frozenset(living), elsewhere, frozenset(queues), sockets)


def remove_owner(db: Database, owner: int) -> set[str]:
    """Remove an owner with all it owns; return the queues that got events back from it."""
    queues = take_back(db, 'owner = ?', owner, 'its consumer ended')
    claimed = db.execute(
        'SELECT name FROM claims JOIN queues ON queues.id = queue WHERE owner = ?', (owner,)
    ).fetchall()
    db.execute('DELETE FROM claims WHERE owner = ?', (owner,))
    db.execute('DELETE FROM owners WHERE id = ?', (owner,))
    withdraw(db, owner)
    return queues.union(name for (name,) in claimed)


def remove_former(db: Database, tokens: Iterable[str]) -> None:
    """Remove all owners that had one of these lock files: former ids of this instance."""
    for token in tokens:
        for (owner,) in db.execute('SELECT id FROM owners WHERE token = ?', (token,)).fetchall():
            remove_owner(db, owner)


def _remove_unknown(directory: Path, known: set[str]) -> None:
    """Remove the lock files of processes that died before they had a row."""
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
        # A row that expires later than a new one was written before the machine was restarted.
        return not now <= expires <= now + _EXPIRY
    return state == 'dead'
