"""What is in the queues of the database, read beside everything that goes on.

Whoever reads a write-ahead log holds nobody up, however much there is to count. So this has a
connection of its own, in a thread of its own, and needs no turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from lymph.events._embedded.database import StoreError, explain
from lymph.events.queues import QueueState

__all__ = ['read_states']

_BUSY = 5.0  # seconds; a reader only waits for whoever recovers the log
_QUEUES = """
SELECT id, name, temporary, (SELECT count(*) FROM consumers WHERE queue = queues.id),
    (SELECT count(*) FROM dead_letters WHERE queue = name)
FROM queues WHERE temporary < 2 ORDER BY name
"""
# The planner would rather look through all messages. What was emitted later has a higher id.
_READY = 'messages INDEXED BY messages_ready', 'due IS NULL AND owner IS NULL', 'id'
_LATE = 'messages INDEXED BY messages_delayed', 'due IS NOT NULL AND due <= :now', 'due'
_DELAYED = 'messages INDEXED BY messages_delayed', 'due IS NOT NULL AND due > :now', 'due'
_RUNNING = 'SELECT queue, count(*) FROM messages WHERE owner IS NOT NULL GROUP BY queue'

_Part = tuple[str, str, str]


def read_states(
    path: Path, now: float, names: frozenset[str] | None, most: int | None = None
) -> Sequence[QueueState]:
    """Return the queues of these names (None: all), sorted by name; raises StoreError.

    `now` is what the file's clock shows. Where a queue has more than `most` events (None: however
    many), their bytes are not added up.
    """
    try:
        # without `mode`, SQLite would make a new file where somebody has removed it
        where = f'{path.absolute().as_uri()}?mode=rw'
        opened = sqlite3.connect(where, uri=True, timeout=_BUSY, isolation_level=None)
        with closing(opened) as db:
            db.execute('PRAGMA query_only = ON')
            db.execute('BEGIN')  # one state of the file for all that follows
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
        size = sum(_weigh(db, part, values) for part in (_READY, _LATE, _DELAYED))
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


def _weigh(db: sqlite3.Connection, part: _Part, values: Mapping[str, float]) -> int:
    table, where, _ = part
    sql = (
        f'SELECT ifnull(sum(length(data)), 0) FROM {table} JOIN events ON events.id = event '
        f'WHERE queue = :queue AND {where}'
    )
    return int(db.execute(sql, values).fetchone()[0])


def _first(db: sqlite3.Connection, part: _Part, values: Mapping[str, float]) -> list[float]:
    """Return when the first event was emitted, if there is one."""
    table, where, order = part
    sql = (
        f'SELECT emitted FROM {table} JOIN events ON events.id = event '
        f'WHERE queue = :queue AND {where} ORDER BY messages.{order} LIMIT 1'
    )
    return [emitted for (emitted,) in db.execute(sql, values)]
