"""The queues of a machine, for an operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from lymph.core._system.blocking import in_thread
from lymph.events._embedded.clock import Database
from lymph.events._embedded.ending import end_queue
from lymph.events._embedded.routing import changed
from lymph.events._embedded.states import read_states
from lymph.events.queues import QueueInUse, Queues, QueueState

__all__ = ['EmbeddedQueues']

T = TypeVar('T')

_WEIGHED = 10_000  # events of a queue whose bytes are added up for metrics


class _Run(Protocol):
    def __call__(self, command: Callable[[Database], T]) -> T: ...


class EmbeddedQueues(Queues):
    """The queues in the file at `path`; `run` runs commands against it.

    `look` looks after the dead, so that nobody counts as a consumer who has ended.
    """

    def __init__(self, path: Path, run: _Run, look: Callable[[], object]) -> None:
        self._path = path
        self._run = run
        self._look = look

    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        self._look()
        now = self._run(lambda db: db.now())
        wanted = None if names is None else frozenset(names)
        return in_thread(read_states, self._path, now, wanted)

    def glance(self, names: Iterable[str]) -> Sequence[QueueState]:
        now = self._run(lambda db: db.now())
        return in_thread(read_states, self._path, now, frozenset(names), _WEIGHED)

    def drop(self, name: str, *, forced: bool = False) -> bool:
        self._look()
        consumers = self._run(lambda db: _drop(db, name, forced))
        if consumers > 0:
            raise QueueInUse(name, consumers)
        return consumers == 0


def _drop(db: Database, name: str, forced: bool) -> int:
    """End a queue; returns 0, or the number of consumers that prevent it, or -1 if it is gone."""
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
    end_queue(db, queue)
    changed(db)
    return 0
