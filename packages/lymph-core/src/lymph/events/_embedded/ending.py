"""Queues that end, and what is in them. Every function runs in a transaction.

Temporary queues end with their last consumer, durable ones when somebody drops them.

A queue ends at once: it collects nothing more, and its name is free for another one. What waits in
it is removed a bit at a time, since whoever removed a million events in one transaction would make
all others wait.
"""

from __future__ import annotations

import sqlite3

__all__ = ['end_queue', 'end_unused_queues', 'sweep']

_SWEPT = 500  # events at once
_ENDED = 2  # `queues.temporary` of a queue that has ended but is not empty

_UNUSED = 'SELECT id FROM queues WHERE temporary = 1 AND id NOT IN (SELECT queue FROM consumers)'
_END = (
    # no queue that somebody declares has a name like that
    f"UPDATE queues SET temporary = {_ENDED}, name = '(ended) ' || id WHERE id = ?",
    'DELETE FROM bindings WHERE queue = ?',
    'DELETE FROM consumers WHERE queue = ?',
    'DELETE FROM claims WHERE queue = ?',
    'DELETE FROM messages WHERE owner IS NOT NULL AND queue = ?',
)
_REMOVE = (
    'DELETE FROM messages WHERE id IN (SELECT id FROM messages INDEXED BY messages_ready '
    'WHERE queue = ? AND due IS NULL AND owner IS NULL LIMIT ?)',
    'DELETE FROM messages WHERE id IN (SELECT id FROM messages INDEXED BY messages_delayed '
    'WHERE queue = ? AND due IS NOT NULL LIMIT ?)',
)


def end_queue(db: sqlite3.Connection, queue: int) -> None:
    """End a queue, whoever consumes it, and remove some of what is in it."""
    for statement in _END:
        db.execute(statement, (queue,))
    sweep(db)


def end_unused_queues(db: sqlite3.Connection) -> None:
    """End temporary queues without consumers, and remove some of what is in them."""
    unused = db.execute(_UNUSED).fetchall()
    for statement in _END:
        db.executemany(statement, unused)
    sweep(db)


def sweep(db: sqlite3.Connection) -> bool:
    """Remove some of what is in queues that have ended; returns whether there may be more."""
    left = _SWEPT
    ended = db.execute('SELECT id FROM queues WHERE temporary = ?', (_ENDED,)).fetchall()
    for (queue,) in ended:
        for statement in _REMOVE:
            left -= db.execute(statement, (queue, left)).rowcount
            if left <= 0:
                return True
        db.execute('DELETE FROM queues WHERE id = ?', (queue,))
    return False
