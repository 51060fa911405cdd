"""The queues of a machine for an operator, read beside the running transactions.

Readers of a write-ahead log hold nobody up, however much there is to count. So `read_states` has a
connection of its own, in a thread of its own, and does not wait for the write mutex.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from lymph.core._system.blocking import in_thread
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import RunCommand
from lymph.events._embedded.database import StoreError, explain
from lymph.events._embedded.routing import delete_queue, note_change
from lymph.events.queues import QueueInUse, Queues, QueueState

__all__ = ['EmbeddedQueues', 'read_states']

T = TypeVar('T')

_BUSY = 5.0  # seconds; a reader waits only while another process recovers the log
_QUEUES = """
SELECT id, name, temporary, (SELECT count(*) FROM consumers WHERE queue = queues.id),
    (SELECT count(*) FROM dead_letters WHERE queue = name)
FROM queues WHERE temporary < 2 ORDER BY name
"""
# Without INDEXED BY, the planner reads all messages. Later events have higher ids.
_READY = 'messages INDEXED BY messages_ready', 'due IS NULL AND owner IS NULL', 'id'
_LATE = 'messages INDEXED BY messages_delayed', 'due IS NOT NULL AND due <= :now', 'due'
_DELAYED = 'messages INDEXED BY messages_delayed', 'due IS NOT NULL AND due > :now', 'due'
_RUNNING = 'SELECT queue, count(*) FROM messages WHERE owner IS NOT NULL GROUP BY queue'

_Part = tuple[str, str, str]
_MOST_SIZED = 10_000  # events of a queue whose bytes are added up for metrics


class EmbeddedQueues(Queues):
    """The queues in the database at `path`.

    `run` runs a command in a transaction. `check_owners` removes dead owners, so that they do not
    count as consumers. All methods raise StoreError when the database cannot be used; `drop` raises
    QueueInUse.
    """

    def __init__(self, path: Path, run: RunCommand, check_owners: Callable[[], object]) -> None:
        self._path = path
        self._run = run
        self._check_owners = check_owners

    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        """Return the queues of these names, or all, sorted by name; raises StoreError."""
        self._check_owners()
        now = self._run(lambda db: db.now())
        wanted = None if names is None else frozenset(names)
        return in_thread(read_states, self._path, now, wanted)

    def glance(self, names: Iterable[str]) -> Sequence[QueueState]:
        """Return the queues of these names without removing dead owners first.

        `bytes` is None for a queue of more than 10,000 events. Raises StoreError.
        """
        now = self._run(lambda db: db.now())
        return in_thread(read_states, self._path, now, frozenset(names), _MOST_SIZED)

    def drop(self, name: str, *, forced: bool = False) -> bool:
        """Delete a queue with its events; return whether it existed.

        Raises QueueInUse if it has consumers and `forced` is false, StoreError if the database
        cannot be used.
        """
        self._check_owners()
        consumers = self._run(lambda db: _drop(db, name, forced))
        if consumers > 0:
            raise QueueInUse(name, consumers)
        return consumers == 0


def _drop(db: Database, name: str, forced: bool) -> int:
    """Delete a queue; return 0, the number of consumers that prevent it, or -1 if it is gone."""
    row = db.execute(
        'SELECT id, (SELECT count(*) FROM consumers WHERE queue = queues.id) FROM queues '
        'WHERE name = ? AND temporary < 2',
        (name,),
    ).fetchone()
    if row is None:
        return -1
    queue, consumers = row
    if consumers and not forced:
        return int(consumers)
    delete_queue(db, queue)
    note_change(db)
    return 0


def read_states(
    path: Path, now: float, names: frozenset[str] | None, most: int | None = None
) -> Sequence[QueueState]:
    """Return the queues of these names (None: all), sorted by name. Blocks; raises StoreError.

    `now` is the time of the file's clock in seconds. Where a queue has more than `most` events
    (None: no limit), their bytes are not added up.
    """
    try:
        # without `mode`, SQLite makes a new file where somebody has removed it
        where = f'{path.absolute().as_uri()}?mode=rw'
        opened = sqlite3.connect(where, uri=True, timeout=_BUSY, isolation_level=None)
        with closing(opened) as db:
            db.execute('PRAGMA query_only = ON')
            db.execute('BEGIN')  # all queries read the same state of the file
            running = dict(db.execute(_RUNNING).fetchall())
            rows = db.execute(_QUEUES).fetchall()
            return [
                _state(db, now, most, row, running.get(row[0], 0))
                for row in rows
                if names is None or row[1] in names
            ]
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error


def _state(
    db: sqlite3.Connection,
    now: float,
    most: int | None,
    row: tuple[int, str, int, int, int],
    running: int,
) -> QueueState:
    queue, name, temporary, consumers, dead = row
    values = {'queue': queue, 'now': now}
    ready, late, delayed = (_count(db, part, values) for part in (_READY, _LATE, _DELAYED))
    size = None
    if most is None or ready + late + delayed <= most:
        size = sum(_size(db, part, values) for part in (_READY, _LATE, _DELAYED))
    emitted = [*_first(db, _READY, values), *_first(db, _LATE, values)]
    return QueueState(
        name,
        bool(temporary),
        ready + late,
        delayed,
        size,
        max(now - min(emitted), 0.0) if emitted else None,
        running,
        consumers,
        dead,
    )


def _count(db: sqlite3.Connection, part: _Part, values: Mapping[str, float]) -> int:
    table, where, _ = part
    sql = f'SELECT count(*) FROM {table} WHERE queue = :queue AND {where}'
    return int(db.execute(sql, values).fetchone()[0])


def _size(db: sqlite3.Connection, part: _Part, values: Mapping[str, float]) -> int:
    table, where, _ = part
    sql = (
        f'SELECT ifnull(sum(length(data)), 0) FROM {table} JOIN events ON events.id = event '
        f'WHERE queue = :queue AND {where}'
    )
    return int(db.execute(sql, values).fetchone()[0])


def _first(db: sqlite3.Connection, part: _Part, values: Mapping[str, float]) -> list[float]:
    """Return when the first event was emitted, as a list of one time or none."""
    table, where, order = part
    sql = (
        f'SELECT emitted FROM {table} JOIN events ON events.id = event '
        f'WHERE queue = :queue AND {where} ORDER BY messages.{order} LIMIT 1'
    )
    return [emitted for (emitted,) in db.execute(sql, values)]
