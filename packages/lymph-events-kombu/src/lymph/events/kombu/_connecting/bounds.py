"""The limits of what waits to be published, the same for RabbitMQ and Redis."""

from __future__ import annotations

from dataclasses import dataclass

from lymph.events.kombu._connecting.errors import BrokerError

__all__ = ['Bounds']


@dataclass(frozen=True)
class Bounds:
    """At most `events` events wait, of at most `size` bytes together; a larger event waits alone.

    The defaults are 10,000 events and 64 MiB.
    """

    events: int = 10_000
    size: int = 64 << 20

    def admit(self, events: int, held: int, size: int) -> bool:
        """Return whether an event of `size` bytes may join `events` others of `held` bytes."""
        return events < self.events and (held + size <= self.size or not held)

    @staticmethod
    def overflow(events: int, held: int, reason: str) -> BrokerError:
        """Return the error for an event that may not join; `reason` says why the others wait."""
        return BrokerError(f'{events} events with {held} bytes are waiting already: {reason}')
