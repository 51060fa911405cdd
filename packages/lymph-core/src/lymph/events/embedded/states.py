"""What is in the queues of the database, read beside everything that goes on.

Whoever reads a write-ahead log holds nobody up, however much there is to count. So this has a
connection of its own, in a thread of its own, and needs no turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lymph.events.embedded.database import StoreError, explain
from lymph.events.queues import QueueState

__all__ = ['read_states']

_BUSY = 5.0  # seconds; a reader only waits for whoever recovers the log
_QUEUES = """
SELECT id, name, temporary, (SELECT count(*) FROM consumers WHERE queue = queues.id),
    (SELECT count(*) FROM dead_letters WHERE queue = name)
FROM queues WHERE temporary < 2 ORDER BY name
"""
# The planner would rather look through all messages.
_READY = """
SELECT count(*), sum(length(data)), min(emitted)
FROM messages INDEXED BY messages_ready JOIN events ON events.id = event
WHERE queue = ? AND due IS NULL AND owner IS NULL
"""
_DUE = """
SELECT count(*), sum(length(data)), min(emitted)
FROM messages INDEXED BY messages_delayed JOIN events ON events.id = event
WHERE queue = ? AND due IS NOT NULL AND due <= ?
"""
_DELAYED = """
SELECT count(*), sum(length(data))
FROM messages INDEXED BY messages_delayed JOIN events ON events.id = event
WHERE queue = ? AND due IS NOT NULL AND due > ?
"""
_RUNNING = 'SELECT queue, count(*) FROM messages WHERE owner IS NOT NULL GROUP BY queue'


def read_states(path: Path, now: float, names: frozenset[str] | None) -> Sequence[QueueState]:
    """Return the queues of these names (None: all), sorted by name; raises StoreError.

    `now` is what the file's clock shows.
    """
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY, isolation_level=None)) as db:
            db.execute('PRAGMA query_only = ON')
            db.execute('BEGIN')  # one state of the file for all that follows
            running = dict(db.execute(_RUNNING).fetchall())
            rows = db.execute(_QUEUES).fetchall()
            return [
                _state(db, now, row, running.get(row[0], 0))
                for row in rows
                if names is None or row[1] in names
            ]
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error


def _state(
    db: sqlite3.Connection, now: float, row: tuple[int, str, int, int, int], running: int
) -> QueueState:
    queue, name, temporary, consumers, dead = row
    ready, ready_bytes, first = db.execute(_READY, (queue,)).fetchone()
    due, due_bytes, first_due = db.execute(_DUE, (queue, now)).fetchone()
    delayed, delayed_bytes = db.execute(_DELAYED, (queue, now)).fetchone()
    emitted = [each for each in (first, first_due) if each is not None]
    return QueueState(
        name,
        bool(temporary),
        ready + due,
        delayed,
        (ready_bytes or 0) + (due_bytes or 0) + (delayed_bytes or 0),
        max(now - min(emitted), 0.0) if emitted else None,
        running,
        consumers,
        dead,
    )
