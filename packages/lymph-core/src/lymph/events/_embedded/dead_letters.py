"""The dead letters in the database, for an operator."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from lymph.config.printable import printable
from lymph.core.failures import ERROR_LENGTH
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import RunCommand
from lymph.events._embedded.messages import put
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled
from lymph.events.envelope import unpack_event

__all__ = ['EmbeddedDeadLetters']

T = TypeVar('T')

_BATCH = 100  # dead letters in one transaction, so that nobody waits for long
_LATEST = 253_370_764_800.0  # Unix time of the year 9999
_MOST = 1_000_000  # attempts

# as bytes: a database that others have written to may hold any type, and text that is not UTF-8
_COLUMNS = (
    'SELECT id, CAST(queue AS BLOB), CAST(data AS BLOB), CAST(error AS BLOB), attempts, emitted, '
    'died FROM dead_letters'
)


class EmbeddedDeadLetters(DeadLetters):
    """The dead letters in the database; `run` runs a command in a transaction.

    `wake_queue` is called with each queue that gets events back. Every method raises StoreError
    when the database cannot be used.
    """

    def __init__(self, run: RunCommand, wake_queue: Callable[[str], object]) -> None:
        self._run = run
        self._wake_queue = wake_queue

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` dead letters, the oldest first; raises StoreError.

        `queue` restricts them to one queue; `after` is an id, and the answer begins behind it.
        """
        where, values = 'id > ?', [_number(after) if after is not None else 0]
        if queue is not None:
            where += ' AND queue = ?'
        query = f'{_COLUMNS} WHERE {where} ORDER BY id LIMIT ?'
        arguments = [*values, *([] if queue is None else [queue]), limit]
        rows = self._run(lambda db: db.execute(query, arguments).fetchall())
        return [_letter(*row) for row in rows]

    def oldest(
        self, queue: str | None = None, limit: int = 100
    ) -> tuple[Sequence[DeadLetter], int]:
        """Return up to `limit` dead letters, the oldest first, and the number of all.

        The database counts them, so no letter is read for the count. Raises StoreError.
        """
        found = self.read(queue, limit)
        return found, max(self._count(queue), len(found))

    def _count(self, queue: str | None) -> int:
        where, arguments = ('', ()) if queue is None else (' WHERE queue = ?', (queue,))
        query = f'SELECT count(*) FROM dead_letters{where}'
        (count,) = self._run(lambda db: db.execute(query, arguments).fetchone())
        return int(count)

    def find(self, id: str) -> DeadLetter | None:
        """Return the dead letter with this id, or None; raises StoreError."""
        query = f'{_COLUMNS} WHERE id = ?'
        row = self._run(lambda db: db.execute(query, (_number(id),)).fetchone())
        return None if row is None else _letter(*row)

    def find_all(self, ids: Iterable[str]) -> dict[str, DeadLetter]:
        """Return the dead letters that exist, by id, in the order of `ids`; raises StoreError."""
        found: dict[str, DeadLetter] = {}
        for some in _batches(list(ids)):
            query = f'{_COLUMNS} WHERE id IN ({", ".join("?" * len(some))})'
            numbers = [_number(id) for id in some]
            rows = self._run(partial(_all, query, numbers))
            letters = {row[0]: _letter(*row) for row in rows}
            found |= {id: letters[n] for id in some if (n := _number(id)) in letters}
        return found

    def replay(self, *ids: str, settled: Settled = str) -> int:
        """Put events back into their queues and return how many there were.

        Each transaction moves up to 100 of them; after it, `settled(id)` is called for each.
        Raises StoreError, and then those of earlier transactions are replayed.
        """
        return sum(self._replay(some, settled) for some in _batches(ids))

    def drop(self, *ids: str, settled: Settled = str) -> int:
        """Delete dead letters and return how many there were.

        Each transaction deletes up to 100 of them; after it, `settled(id)` is called for each.
        Raises StoreError, and then those of earlier transactions are deleted.
        """
        return sum(self._drop(some, settled) for some in _batches(ids))

    def _replay(self, ids: Sequence[str], settled: Settled) -> int:
        def revive(db: Database) -> dict[str, str]:
            return {id: name for id in ids for name in _revive(db, _number(id))}

        def wake(queues: dict[str, str]) -> None:
            for queue in set(queues.values()):
                self._wake_queue(queue)

        queues = self._run(revive, lasting=True, then=wake)
        for id in queues:
            settled(id)
        return len(queues)

    def _drop(self, ids: Sequence[str], settled: Settled) -> int:
        def delete(db: sqlite3.Connection) -> list[str]:
            return [id for id in ids if _delete(db, _number(id))]

        dropped = self._run(delete, lasting=True)
        for id in dropped:
            settled(id)
        return len(dropped)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))


def _all(query: str, values: Sequence[int], db: sqlite3.Connection) -> list[Any]:
    return db.execute(query, values).fetchall()


def _revive(db: Database, id: int) -> list[str]:
    """Put an event back into its queue; return the name of the queue, none if it is deleted."""
    row = db.execute(
        'SELECT queues.id, name, data FROM dead_letters JOIN queues ON name = queue '
        'WHERE dead_letters.id = ?',
        (id,),
    ).fetchone()
    if row is None:
        return []
    queue, name, data = row
    put(db, [queue], data)
    _delete(db, id)
    return [name]


def _delete(db: sqlite3.Connection, id: int) -> int:
    return db.execute('DELETE FROM dead_letters WHERE id = ?', (id,)).rowcount


def _letter(
    id: int, queue: bytes | None, data: bytes | None, error: bytes | None, *rest: Any
) -> DeadLetter:
    attempts, emitted, died = rest
    attempts = attempts if isinstance(attempts, int) and 0 <= attempts <= _MOST else 1
    data = data or b''
    try:
        event = unpack_event(data, attempts)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is shown as bytes
        event = None
    return DeadLetter(
        str(id),
        _text(queue),
        event,
        data,
        printable(_text(error), ERROR_LENGTH),
        attempts,
        _seconds(emitted),
        _seconds(died) or 0.0,
    )


def _text(value: bytes | None) -> str:
    return (value or b'').decode(errors='backslashreplace')


def _seconds(value: object) -> float | None:
    """Return a value that can be a Unix time, else None."""
    possible = isinstance(value, (int, float)) and 0 <= value < _LATEST
    return float(value) if possible else None  # type: ignore[arg-type]


def _number(id: str) -> int:
    return int(id) if id.isascii() and id.isdigit() and len(id) < 19 else 0
