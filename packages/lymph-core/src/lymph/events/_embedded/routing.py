"""Queues, the topics they collect, and who consumes them. Every function runs in a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lymph.events._embedded.ending import end_unused_queues
from lymph.events._embedded.topic_index import TopicIndex

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
    if owner is not None:
        db.execute(
            'INSERT INTO consumers (queue, owner, topics) VALUES (?, ?, ?) '
            'ON CONFLICT (queue, owner) DO UPDATE SET topics = excluded.topics',
            (queue, owner, ' '.join(topics)),
        )
    _bind(db, queue, topics)
    changed(db)


def _bind(db: sqlite3.Connection, queue: int, topics: Iterable[str]) -> None:
    """Have the queue collect `topics` and those of its consumers, and no others."""
    rows = db.execute('SELECT topics FROM consumers WHERE queue = ?', (queue,)).fetchall()
    wanted = {*topics, *(topic for (text,) in rows if text for topic in text.split())}
    if all(text for (text,) in rows):  # else some consumer's topics are not known
        db.execute('DELETE FROM bindings WHERE queue = ?', (queue,))
    pairs = [(queue, topic) for topic in wanted]
    db.executemany('INSERT INTO bindings VALUES (?, ?) ON CONFLICT DO NOTHING', pairs)


def has_queue(db: sqlite3.Connection, name: str) -> bool:
    """Tell whether there is a queue of that name."""
    return db.execute('SELECT 1 FROM queues WHERE name = ?', (name,)).fetchone() is not None


def missing(db: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Return those of `names` that are no queues: somebody has dropped them."""
    return {name for name in names if not has_queue(db, name)}


def withdraw(db: sqlite3.Connection, owner: int, name: str | None = None) -> None:
    """Make `owner` no consumer of the queue `name`, of all if there is none.

    A temporary queue goes with its last consumer. Another one goes on collecting what that wanted;
    while there are others, it collects what they want.
    """
    queues = db.execute(
        'SELECT queue FROM consumers JOIN queues ON id = queue '
        'WHERE owner = ? AND (? IS NULL OR name = ?)',
        (owner, name, name),
    ).fetchall()
    for (queue,) in queues:
        db.execute('DELETE FROM consumers WHERE owner = ? AND queue = ?', (owner, queue))
        if db.execute('SELECT 1 FROM consumers WHERE queue = ?', (queue,)).fetchone():
            _bind(db, queue, ())
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
