"""Dead letters: events that were given up, kept until an operator replays or drops them."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from heapq import nsmallest

from lymph.core.events import Event

__all__ = ['DeadLetter', 'DeadLetters', 'Settled']

#: called with the id of each dead letter that was settled
Settled = Callable[[str], object]

_PAGE = 100


@dataclass(frozen=True)
class DeadLetter:
    """An event that one queue gave up.

    ========  ==================================================================================
    id        names the dead letter to its event system
    queue     the queue that gave up
    event     the event, or None if the bytes cannot be decoded
    data      the bytes as they were stored
    error     one line: what the handler raised last, or why there was no handler to ask
    attempts  deliveries to a handler
    emitted   Unix time in seconds when the event was emitted; None when that is not known
    died      Unix time in seconds when it was given up
    ========  ==================================================================================
    """

    id: str
    queue: str
    event: Event | None
    data: bytes
    error: str
    attempts: int
    emitted: float | None
    died: float

    @property
    def trace_id(self) -> str | None:
        """The trace id of the event, where it has one."""
        return None if self.event is None else self.event.headers.get('trace_id')


class DeadLetters(ABC):
    """The dead letters of an event system, the oldest first. Every method may wait."""

    @abstractmethod
    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` dead letters, of one queue or of all, the oldest first.

        `after` is the id of a dead letter: the answer begins with the next one. Raises the
        backend's own LymphError if the backend cannot be asked.
        """

    def scan(self, queue: str | None = None) -> Generator[DeadLetter, None, None]:
        """Yield all dead letters once, those of one queue or of all.

        The order is undefined, and letters that are added meanwhile are left out. Close the
        generator if you leave it before its end.
        """
        page = self.read(queue, _PAGE)
        while page:
            yield from page
            page = self.read(queue, _PAGE, page[-1].id)

    def oldest(
        self, queue: str | None = None, limit: int = 100
    ) -> tuple[Sequence[DeadLetter], int]:
        """Return up to `limit` dead letters, the oldest first, and how many there are in all.

        `queue` restricts both to one queue. Reads all dead letters unless the backend has an index.
        """
        numbers = itertools.count()
        with closing(self.scan(queue)) as scan:
            found = nsmallest(limit, ((letter.died, next(numbers), letter) for letter in scan))
        return [letter for _, _, letter in found], next(numbers)

    @abstractmethod
    def find(self, id: str) -> DeadLetter | None:
        """Return the dead letter with this id, or None."""

    def find_all(self, ids: Iterable[str]) -> dict[str, DeadLetter]:
        """Return the dead letters that exist, by id."""
        found = (self.find(id) for id in ids)
        return {letter.id: letter for letter in found if letter is not None}

    @abstractmethod
    def replay(self, *ids: str, settled: Settled = str) -> int:
        """Put events back at the end of the queues that gave them up, as if never delivered.

        An event keeps its id and headers; its attempts are counted from 1 again. Returns how many
        there were; unknown ids are ignored. A dead letter whose queue is gone stays where it is and
        is not counted. `settled(id)` is called after each. If this is interrupted, some may be
        both replayed and still dead letters; none is lost.
        """

    @abstractmethod
    def drop(self, *ids: str, settled: Settled = str) -> int:
        """Delete dead letters, call `settled(id)` for each, and return how many there were."""
