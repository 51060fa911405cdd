"""The contract of stores that lease events: demands, deliveries and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ['Delivery', 'Demand', 'Leased', 'Store']


@dataclass(frozen=True)
class Delivery:
    """An event leased from a queue; only the store interprets `id` and `owner`."""

    id: int
    queue: str
    data: bytes
    attempt: int
    owner: int = 0


@dataclass(frozen=True)
class Demand:
    """How many events of a queue may be leased.

    With `claim`, only if that is, or becomes, the only claim to the queue. Then the oldest event is
    leased, and no other until it is handled or a dead letter, even while it waits to be retried.
    """

    queue: str
    count: int
    claim: str | None = None


@dataclass(frozen=True)
class Leased:
    """The answer of a store to demands.

    ==========  ==============================================================================
    deliveries  the leased events
    due         by queue: seconds until it has another event, or until the claim that another
                instance holds expires unless it is renewed; no entry: not before a wake-up
    claims      by queue: when the claim that came with this lease expires, monotonic clock
    ==========  ==============================================================================
    """

    deliveries: Sequence[Delivery] = ()
    due: dict[str, float] = field(default_factory=dict)
    claims: dict[str, float] = field(default_factory=dict)


class Store(Protocol):
    """Holds the queues. Only `lease` may wait; it raises LymphError if it fails."""

    def lease(self, demands: Sequence[Demand]) -> Leased:
        """Lease up to `count` events of each queue, the oldest first; each has one more attempt.

        Raises LymphError if the store cannot be used.
        """

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget an event that was handled."""

    def retry(self, delivery: Delivery, delay: float) -> None:
        """Put an event back, to be leased again after `delay` seconds."""

    def bury(self, delivery: Delivery, error: str) -> None:
        """Move an event to the dead letters."""

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        """Put events back to be leased at once; if not `started`, the attempt does not count."""

    def holds(self, claim: str) -> bool:
        """Tell whether a claim is certainly held at this moment. Never waits."""

    def let_go(self, queue: str, claim: str) -> None:
        """Give a claim back, after all outcomes that were submitted before."""
