"""Queues, the topics they collect, and who consumes them. Every function runs in a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lymph.core.protocol.topic_index import TopicIndex
from lymph.events.embedded.ending import end_unused_queues

__all__ = ['Routes', 'changed', 'declare', 'has_queue', 'missing', 'withdraw']

_REMEMBERED = 4096  # topics whose queues are known without matching


def changed(db: sqlite3.Connection) -> None:
    """Tell all processes that queues or bindings are not what they were."""
    # a random number: a count could come back after a transaction that was undone
    db.execute('UPDATE changes SET number = random()')


def declare(
    db: sqlite3.Connection, name: str, topics: Sequence[str], temporary: bool, owner: int | None
) -> None:
    """Make the queue collect `topics`, and `owner` (None: nobody) one of its consumers.

    While others consume it, theirs are collected too: versions of a service that run side by side
    may differ in them.
    """
    db.execute(
        'INSERT INTO queues (name, temporary) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
        (name, temporary),
    )
    (queue,) = db.execute('SELECT id FROM queues WHERE name = ?', (name,)).fetchone()
    others = db.execute(
        'SELECT count(*) FROM consumers WHERE queue = ? AND owner IS NOT ?', (queue, owner)
    ).fetchone()[0]
    if not others:
        db.execute('DELETE FROM bindings WHERE queue = ?', (queue,))
    rows = [(queue, topic) for topic in topics]
    db.executemany('INSERT INTO bindings VALUES (?, ?) ON CONFLICT DO NOTHING', rows)
    if owner is not None:
        db.execute('INSERT INTO consumers VALUES (?, ?) ON CONFLICT DO NOTHING', (queue, owner))
    changed(db)


def has_queue(db: sqlite3.Connection, name: str) -> bool:
    """Tell whether there is a queue of that name."""
    return db.execute('SELECT 1 FROM queues WHERE name = ?', (name,)).fetchone() is not None


def missing(db: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Return those of `names` that are no queues: somebody has dropped them."""
    return {name for name in names if not has_queue(db, name)}


def withdraw(db: sqlite3.Connection, name: str, owner: int) -> None:
    """Make `owner` no consumer of the queue; a temporary queue goes with its last one."""
    db.execute(
        'DELETE FROM consumers WHERE owner = ? AND queue IN (SELECT id FROM queues WHERE name = ?)',
        (owner, name),
    )
    end_unused_queues(db)
    changed(db)


class Routes:
    """Which queues collect a topic; known until another process changes it."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._bindings: TopicIndex[tuple[int, str]] = TopicIndex()
        self._known: dict[str, tuple[tuple[int, str], ...]] = {}

    def find(self, db: sqlite3.Connection, topic: str) -> tuple[tuple[int, str], ...]:
        """Return id and name of each queue that collects `topic`."""
        (number,) = db.execute('SELECT number FROM changes').fetchone()
        if number != self._number:
            self._bindings = _read_bindings(db)
            self._known.clear()
            self._number = number
        found = self._known.get(topic)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[topic] = self._bindings.find(topic)
        return found


def _read_bindings(db: sqlite3.Connection) -> TopicIndex[tuple[int, str]]:
    bindings: TopicIndex[tuple[int, str]] = TopicIndex()
    rows = db.execute('SELECT topic, id, name FROM bindings JOIN queues ON queue = id')
    for pattern, queue, name in rows:
        bindings.add(pattern, (queue, name))
    return bindings
