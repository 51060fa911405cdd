"""Events on their way: emitted and settled. Every function runs in a transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence

from lymph.events._embedded.clock import Database
from lymph.events._embedded.routing import Routes
from lymph.events.leases import Delivery

__all__ = ['acknowledge', 'bury', 'publish', 'put', 'recover', 'release', 'retry']

_BURY = """
INSERT INTO dead_letters (queue, data, error, attempts, emitted, died)
SELECT name, data, ?, attempts, emitted + ?, ?
FROM messages JOIN events ON events.id = event JOIN queues ON queues.id = queue
WHERE messages.id = ? AND owner = ?
"""


def publish(db: Database, routes: Routes, topic: str, data: bytes, delay: float) -> list[str]:
    """Put an event into every queue that collects its topic; returns their names."""
    queues = routes.find(db, topic)
    if queues:
        put(db, [queue for queue, _ in queues], data, delay)
    return [name for _, name in queues]


def put(db: Database, queues: Sequence[int], data: bytes, delay: float = 0) -> None:
    """Put an event at the end of queues."""
    now = db.now()
    due = now + delay if delay else None
    event = db.execute('INSERT INTO events (data, emitted) VALUES (?, ?)', (data, now)).lastrowid
    db.executemany(
        'INSERT INTO messages (event, queue, due) VALUES (?, ?, ?)',
        [(event, queue, due) for queue in queues],
    )


# What was leased is settled by its owner alone: a lease that was taken away counts no more.


def acknowledge(db: sqlite3.Connection, owner: int, id: int) -> None:
    """Forget an event that was handled."""
    db.execute('DELETE FROM messages WHERE id = ? AND owner = ?', (id, owner))


def retry(db: Database, owner: int, id: int, delay: float) -> None:
    """Put an event back, to be leased not before `delay` seconds from now."""
    db.execute(
        'UPDATE messages SET owner = NULL, due = ? WHERE id = ? AND owner = ?',
        (db.now() + delay, id, owner),
    )


def bury(db: Database, owner: int, id: int, error: str) -> None:
    """Move an event to the dead letters."""
    died = time.time()
    db.execute(_BURY, (error, died - db.now(), died, id, owner))
    acknowledge(db, owner, id)


def release(db: sqlite3.Connection, deliveries: Iterable[Delivery], attempts: int = 0) -> None:
    """Put events back to be leased at once; `attempts` is added to their counts."""
    db.executemany(
        'UPDATE messages SET owner = NULL, attempts = attempts + ? WHERE id = ? AND owner = ?',
        [(attempts, delivery.id, delivery.owner) for delivery in deliveries],
    )


def recover(db: sqlite3.Connection, owner: int, id: int) -> None:
    """Put back, to be leased at once, what its consumer was lost with."""
    db.execute(
        'UPDATE messages SET owner = NULL, losses = losses + 1 WHERE id = ? AND owner = ?',
        (id, owner),
    )
