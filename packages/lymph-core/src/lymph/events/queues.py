"""The queues of an event system as an operator sees them: how much waits, for whom, since when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lymph.config.printable import quoted
from lymph.exceptions import LymphError

__all__ = ['QueueInUse', 'QueueState', 'Queues']


@dataclass(frozen=True)
class QueueState:
    """The state of a queue at one moment; None where the backend cannot tell.

    =========  =================================================================================
    queue      its name at the backend, the one that its dead letters carry
    temporary  whether it ends with its instance
    waiting    events that a consumer may have now
    delayed    events in it that wait for their time: emitted with a delay, or to be tried again
    bytes      size of the events that wait or are delayed
    oldest     seconds since the oldest event that waits was emitted; None also when none waits
    running    events that were handed to consumers and are not settled
    consumers  instances that consume it
    dead       its dead letters
    =========  =================================================================================
    """

    queue: str
    temporary: bool | None = None
    waiting: int | None = None
    delayed: int | None = None
    bytes: int | None = None
    oldest: float | None = None
    running: int | None = None
    consumers: int | None = None
    dead: int | None = None

    @property
    def events(self) -> int | None:
        """How many events are in it, None where no part of that is known."""
        known = [n for n in (self.waiting, self.delayed, self.running) if n is not None]
        return sum(known) if known else None


class QueueInUse(LymphError):
    """Raised when a queue that is to be dropped has consumers; `consumers` is how many, or None."""

    def __init__(self, queue: str, consumers: int | None = None) -> None:
        count = 'consumers' if not consumers else f'{consumers} consumer{"s" * (consumers > 1)}'
        super().__init__(f'the queue {quoted(queue)} has {count}')
        self.queue = queue
        self.consumers = consumers


class Queues(ABC):
    """The queues of an event system, durable and temporary. Every method may wait.

    Each raises the backend's own LymphError when the backend cannot be asked.
    """

    @property
    def note(self) -> str:
        """One line on what this backend cannot tell, and what would help; empty if it tells all."""
        return ''

    @abstractmethod
    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        """Return the queues of these names, or all, sorted by name; unknown names are left out."""

    def find(self, name: str) -> QueueState | None:
        """Return the queue of this name, or None."""
        return next(iter(self.read([name])), None)

    def glance(self, names: Iterable[str]) -> Sequence[QueueState]:
        """Return the state of queues as far as it is cheap to find out, for metrics.

        Like `read`, but None where a backend would have to read each event.
        """
        return self.read(names)

    @abstractmethod
    def drop(self, name: str, *, forced: bool = False) -> bool:
        """Delete a queue with all events in it; return whether it existed.

        Its dead letters stay. Raises QueueInUse if it has consumers, unless `forced`; those declare
        the queue again sooner or later, and get no events until then.
        """
