"""Counts of the events and tasks that this process handles, by queue.

A queue whose name has a random part would make a new series each time, so it counts under the name
of its handler (``shop.on_order``), or, without one, as ``temporary``. Such queues are those of
`Interface.subscribe`, of `get_next_event`, and of the streams of a gateway. A series stays when a
subscription ends, so that its counters never go back. There are at most `MOST` series; further
queues count as ``other``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import Histogram
from lymph.core.monitoring.metrics import Sample
from lymph.events.base import Subscription
from lymph.events.deliveries import Again, Dead

__all__ = ['MOST', 'HandlerFigures', 'HandlerStats']

#: queues with a series of their own
MOST: Final = 500

_OTHER: Final = 'other'
_TEMPORARY: Final = 'temporary'
_TAGS: Final = ('queue', 'kind')

SUBSCRIPTIONS: Final = describe(
    'events.subscriptions', 'gauge', 'Subscriptions that consume a queue now.', tags=_TAGS
)
RUNNING: Final = describe(
    'events.running', 'gauge', 'Events and tasks whose handler runs.', tags=_TAGS
)
HANDLED: Final = describe(
    'events.handled', 'counter', 'Attempts whose handler returned.', tags=_TAGS
)
FAILED: Final = describe(
    'events.failed', 'counter', 'Attempts whose handler raised an error.', tags=_TAGS
)
RETRIED: Final = describe(
    'events.retried',
    'counter',
    'Attempts after which the event is tried again, after a delay.',
    tags=_TAGS,
)
DEAD: Final = describe(
    'events.dead',
    'counter',
    'Events and tasks that this process gave up: they are dead letters now.',
    tags=_TAGS,
)
TOTAL: Final = describe(
    'events.seconds',
    'counter',
    'Time spent in all handlers together.',
    unit='seconds',
    tags=_TAGS,
)
DURATION: Final = describe(
    'events.duration',
    'histogram',
    'How long attempts took, however they ended.',
    unit='seconds',
    tags=_TAGS,
)
LAG: Final = describe(
    'events.lag',
    'histogram',
    'How long events and tasks waited for their first attempt, from the time at which they were '
    'emitted, or at which their delay had passed.',
    unit='seconds',
    tags=_TAGS,
)


class HandlerStats:
    """The events of one queue, or of several that share a series."""

    def __init__(self, queue: str, kind: str) -> None:
        self.tags = {'queue': queue, 'kind': kind}
        self.subscriptions = 0
        self.running = self.handled = self.failed = self.retried = self.dead = 0
        self.durations = Histogram(DURATION, self.tags)
        self.lags = Histogram(LAG, self.tags)

    def count_failed(self, outcome: object) -> None:
        """Count what becomes of an event after a failed attempt."""
        if isinstance(outcome, Again):
            self.retried += 1
        elif isinstance(outcome, Dead):
            self.dead += 1

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts as metrics."""
        tags = self.tags
        yield SUBSCRIPTIONS, self.subscriptions, tags
        yield RUNNING, self.running, tags
        yield HANDLED, self.handled, tags
        yield FAILED, self.failed, tags
        yield RETRIED, self.retried, tags
        yield DEAD, self.dead, tags
        yield TOTAL, self.durations.sum, tags
        yield from self.durations
        yield from self.lags


class HandlerFigures:
    """The figures of all queues that this process consumes, or has consumed."""

    def __init__(self) -> None:
        self._stats: dict[tuple[str, str], HandlerStats] = {}  # by name and kind

    def of(self, subscription: Subscription) -> HandlerStats:
        """Return the figures under which the events of a subscription count."""
        work = subscription.work
        kind = 'event' if work is None else work.kind
        name = subscription.queue_name
        if work is not None and work.runtime:
            name = work.name
        elif work is None and not subscription.durable:
            name = _TEMPORARY
        if (name, kind) not in self._stats and len(self._stats) >= MOST:
            name = _OTHER
        stats = self._stats.get((name, kind))
        if stats is None:
            stats = self._stats[name, kind] = HandlerStats(name, kind)
        return stats

    def __iter__(self) -> Iterator[Sample]:
        """Yield the metrics of all queues."""
        for stats in list(self._stats.values()):
            yield from stats
