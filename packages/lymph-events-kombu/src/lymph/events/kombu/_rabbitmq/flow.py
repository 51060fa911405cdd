"""The state of a consumer that decides how many events RabbitMQ may send it ahead. Pure.

A consumer is in one of these states. The width is the number of unacknowledged events that the
broker may have sent to it.

=========  ====================  ==================================================================
state      width                 moved there by
=========  ====================  ==================================================================
narrow     1                     a new channel; the intake, when workers are free again (`resume`);
                                 an event that is a suspect (`arrived`)
wide       as many as handlers   an event that is no suspect (`arrived`)
           may run
blocked    0                     a new channel, or `resume`, while the handler of a consumer of one
                                 event at a time still runs; ends with that handler (`ended`)
parked     0; events are         the intake, while workers are scarce (`park`)
           fetched one by one
paused     0, for good           the event system that stops, an unsubscribe, or the end of a `once`
                                 subscription (`pause`)
=========  ====================  ==================================================================

- A suspect is an event whose earlier deliveries were lost: it may be what kills its consumers.
  While the consumer has one, the broker sends no others, which would be lost with it.
- Handlers that still run after their channel was replaced, or whose events were fetched, are `old`.
  The broker does not count their events against the width, so the width is smaller until all of
  them have ended.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

__all__ = ['Flow']


class Flow:
    """The state of a consumer that runs at most `limit` handlers at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = limit  # the limit less the old handlers, while any of them runs
        self._narrow = True
        self.old: set[Hashable] = set()
        self.parked = False
        self.paused = False

    @property
    def width(self) -> int:
        """The number of events that the broker may send ahead."""
        if self.paused or self.parked:
            return 0
        if self._limit == 1:
            return 0 if self.old else 1
        return 1 if self._narrow else max(self._room, 1)

    def opened(self, running: Iterable[Hashable]) -> None:
        """Note a new channel, while the handlers of the deliveries `running` still run."""
        self._narrow = True
        self.old.update(running)
        self._room = self._limit - len(self.old)

    def arrived(self, suspect: bool) -> None:
        """Note that an event was delivered, and whether it is a suspect."""
        self._narrow = suspect

    def ended(self, delivery: Hashable) -> None:
        """Note that the handler of a delivery has ended."""
        self.old.discard(delivery)
        if not self.old:
            self._room = self._limit

    def park(self) -> None:
        """Set the width to 0 until `resume`."""
        self.parked = True

    def resume(self, running: Iterable[Hashable]) -> None:
        """End `park`, while the handlers of the deliveries `running` still run."""
        self.parked = False
        self.opened(running)

    def pause(self) -> None:
        """Set the width to 0 for good."""
        self.paused = True
