"""What is leased from a store of events, and what a store does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ['Delivery', 'Demand', 'Leased', 'Store']


@dataclass(frozen=True)
class Delivery:
    """An event leased from a queue; `id` and `owner` mean something to the store alone."""

    id: int
    queue: str
    data: bytes
    attempt: int
    owner: int = 0


@dataclass(frozen=True)
class Demand:
    """How many events of a queue may be leased.

    With `claim`, only if that is or becomes the one claim to the queue. Then the oldest event is
    leased and no other before it was handled or given up, also while it waits to be tried again.
    """

    queue: str
    count: int
    claim: str | None = None


@dataclass(frozen=True)
class Leased:
    """What a store gives; `due` tells for a queue in how many seconds it has more, if ever.

    For a queue that another claim holds, that is when that claim ends unless it is renewed.
    `claims` tells for a queue when the claim ends that came with this lease, by the monotonic
    clock.
    """

    deliveries: Sequence[Delivery] = ()
    due: dict[str, float] = field(default_factory=dict)
    claims: dict[str, float] = field(default_factory=dict)


class Store(Protocol):
    """Where the queues are. Only `lease` may wait; it raises LymphError when it fails."""

    def lease(self, demands: Sequence[Demand]) -> Leased:
        """Lease up to `count` events of each queue, the oldest first; each has one more attempt."""

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget an event that was handled."""

    def retry(self, delivery: Delivery, delay: float) -> None:
        """Put an event back, to be leased again after `delay` seconds."""

    def bury(self, delivery: Delivery, error: str) -> None:
        """Move an event to the dead letters."""

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        """Put events back to be leased at once; if not `started`, the attempt does not count."""

    def holds(self, claim: str) -> bool:
        """Tell whether a claim surely stands at this moment. Never waits."""

    def let_go(self, queue: str, claim: str) -> None:
        """Give a claim back, after all outcomes that were told before."""
