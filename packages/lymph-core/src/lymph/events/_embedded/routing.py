"""The queues: the topics that they collect, who consumes them, and how they are deleted.

A temporary queue is deleted with its last consumer, a durable one when somebody drops it. A deleted
queue collects nothing more at once, and its name is free. The events in it are removed a few at a
time by the cleanup: a transaction that removes a million events would make all others wait.

Every function runs in a transaction, in the thread of the committer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from lymph.events._embedded.topic_index import TopicIndex

__all__ = [
    'Routes',
    'declare',
    'delete_queue',
    'has_queue',
    'missing',
    'note_change',
    'remove_deleted',
    'withdraw',
]

_BATCH = 500  # events that are removed in one transaction
_DELETED = 2  # `queues.temporary` of a deleted queue that still has events

_UNUSED = 'SELECT id FROM queues WHERE temporary = 1 AND id NOT IN (SELECT queue FROM consumers)'
_DELETE = (
    # no declared queue has such a name: it has a space and brackets
    f"UPDATE queues SET temporary = {_DELETED}, name = '(ended) ' || id WHERE id = ?",
    'DELETE FROM bindings WHERE queue = ?',
    'DELETE FROM consumers WHERE queue = ?',
    'DELETE FROM claims WHERE queue = ?',
    'DELETE FROM messages WHERE owner IS NOT NULL AND queue = ?',
)
_REMOVE_EVENTS = (
    'DELETE FROM messages WHERE id IN (SELECT id FROM messages INDEXED BY messages_ready '
    'WHERE queue = ? AND due IS NULL AND owner IS NULL LIMIT ?)',
    'DELETE FROM messages WHERE id IN (SELECT id FROM messages INDEXED BY messages_delayed '
    'WHERE queue = ? AND due IS NOT NULL LIMIT ?)',
)
_REMEMBERED = 4096  # topics whose queues are found without matching


def note_change(db: sqlite3.Connection) -> None:
    """Have all processes read the queues and bindings again, before they emit."""
    # random, because a count could repeat after a transaction that was rolled back
    db.execute('UPDATE changes SET number = random()')


def declare(
    db: sqlite3.Connection, name: str, topics: Sequence[str], temporary: bool, owner: int | None
) -> None:
    """Make a queue that collects `topics`, and `owner` (None: nobody) one of its consumers.

    While others consume it, it collects their topics too: versions of a service that run side by
    side may differ in them.
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
    note_change(db)


def _bind(db: sqlite3.Connection, queue: int, topics: Iterable[str]) -> None:
    """Have the queue collect `topics` and the topics of its consumers, and no others."""
    rows = db.execute('SELECT topics FROM consumers WHERE queue = ?', (queue,)).fetchall()
    wanted = {*topics, *(topic for (text,) in rows if text for topic in text.split())}
    if all(text for (text,) in rows):  # else an older lymph consumes it, whose topics are unknown
        db.execute('DELETE FROM bindings WHERE queue = ?', (queue,))
    pairs = [(queue, topic) for topic in wanted]
    db.executemany('INSERT INTO bindings VALUES (?, ?) ON CONFLICT DO NOTHING', pairs)


def has_queue(db: sqlite3.Connection, name: str) -> bool:
    """Tell whether a queue of that name exists."""
    return db.execute('SELECT 1 FROM queues WHERE name = ?', (name,)).fetchone() is not None


def missing(db: sqlite3.Connection, names: Iterable[str]) -> set[str]:
    """Return the names of queues that do not exist: somebody has dropped them."""
    return {name for name in names if not has_queue(db, name)}


def withdraw(db: sqlite3.Connection, owner: int, name: str | None = None) -> None:
    """Remove `owner` from the consumers of the queue `name`, of all queues if that is None.

    Temporary queues are deleted with their last consumer. Durable ones go on collecting its topics;
    while they have other consumers, they collect the topics of those.
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
    delete_unused_queues(db)
    note_change(db)


def delete_queue(db: sqlite3.Connection, queue: int) -> None:
    """Delete a queue, whoever consumes it, and remove some of its events."""
    for statement in _DELETE:
        db.execute(statement, (queue,))
    remove_deleted(db)


def delete_unused_queues(db: sqlite3.Connection) -> None:
    """Delete the temporary queues that have no consumers, and remove some of their events."""
    unused = db.execute(_UNUSED).fetchall()
    for statement in _DELETE:
        db.executemany(statement, unused)
    remove_deleted(db)


def remove_deleted(db: sqlite3.Connection) -> bool:
    """Remove some events of deleted queues; return whether there may be more."""
    left = _BATCH
    deleted = db.execute('SELECT id FROM queues WHERE temporary = ?', (_DELETED,)).fetchall()
    for (queue,) in deleted:
        for statement in _REMOVE_EVENTS:
            left -= db.execute(statement, (queue, left)).rowcount
            if left <= 0:
                return True
        db.execute('DELETE FROM queues WHERE id = ?', (queue,))
    return False


class Routes:
    """Which queues collect a topic, remembered until any process changes queues or bindings."""

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
