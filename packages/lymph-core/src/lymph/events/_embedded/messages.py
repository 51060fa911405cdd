"""Emits and settles events. Every function runs in a transaction, in the committer's thread.

Only the owner of a lease settles an event: after it was taken back, its former owner changes
nothing.
"""

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
    """Put an event into every queue that collects its topic; return the names of the queues."""
    queues = routes.find(db, topic)
    if queues:
        put(db, [queue for queue, _ in queues], data, delay)
    return [name for _, name in queues]


def put(db: Database, queues: Sequence[int], data: bytes, delay: float = 0) -> None:
    """Put an event at the end of queues, to be delivered after `delay` seconds."""
    now = db.now()
    due = now + delay if delay else None
    event = db.execute('INSERT INTO events (data, emitted) VALUES (?, ?)', (data, now)).lastrowid
    db.executemany(
        'INSERT INTO messages (event, queue, due) VALUES (?, ?, ?)',
        [(event, queue, due) for queue in queues],
    )


def acknowledge(db: sqlite3.Connection, owner: int, id: int) -> None:
    """Remove an event that was handled."""
    db.execute('DELETE FROM messages WHERE id = ? AND owner = ?', (id, owner))


def retry(db: Database, owner: int, id: int, delay: float) -> None:
    """Put an event back, to be leased again after `delay` seconds."""
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
    """Put back an event that was lost with its consumer, to be leased at once."""
    db.execute(
        'UPDATE messages SET owner = NULL, losses = losses + 1 WHERE id = ? AND owner = ?',
        (id, owner),
    )
