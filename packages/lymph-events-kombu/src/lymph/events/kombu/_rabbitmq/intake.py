"""Pass deliveries to workers: at once while a worker is free, else in order of arrival.

The broker limits the time from a delivery to its acknowledgement (``consumer_timeout``) and takes
events back that are not acknowledged in time. So an event must not wait long for a worker. Usually
the broker sends each consumer as many events ahead as the consumer may handle at once. This works
while handlers are fast, however many consumers share the workers. When an event has waited too
long, workers are scarce:

- All consumers are parked (see `flow`): the broker sends nothing ahead, and events that have not
  begun go back.
- Whenever a worker is free, one event is fetched, from the consumers in turn.
- The consumers resume when all queues are empty, or when the events that went back were fetched
  again and workers have become free quickly for some time.

Source: RabbitMQ's guide to consumers, "delivery acknowledgement timeout". There is no other way to
share a limit among queues: quorum queues have no prefetch for a whole channel, and RabbitMQ does
not implement ``channel.flow``.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Protocol

from gevent.event import Event

from lymph.core.greenlets import Greenlet
from lymph.core.workers import Workers
from lymph.events.kombu._connecting.loops import go_on
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery

__all__ = ['Handler', 'Intake']

logger = logging.getLogger(__name__)

_STUCK = 0.25  # seconds without a free worker after which workers are scarce
_LONGEST_WAIT = 1.0  # seconds that an event may wait while workers become free
_CALM = 5.0  # seconds in which workers became free quickly, after which consumers resume


class Handler(Protocol):
    """A consumer that shares the workers."""

    def handle(self, delivery: AmqpDelivery) -> None:
        """Handle a delivery, in a worker."""

    def park(self) -> int:
        """Stop deliveries until `resume`; return how many events went back. Never waits."""

    def fetch(self) -> bool:
        """Take one event and begin it; return whether there was one. Waits for the broker."""

    def resume(self) -> None:
        """Let the broker send events ahead again. Never waits."""


class Intake:
    """Runs handlers in workers. Its queue is bounded by what the broker sends ahead."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._handlers: deque[Handler] = deque()
        self._waiting: deque[tuple[Handler, AmqpDelivery, float]] = deque()
        self._scarce = False
        self._more = Event()
        self._feeder = Greenlet.spawn(go_on, logger, 'starting handlers', self._feed)

    def join(self, handler: Handler) -> None:
        """Add a consumer that shares the workers. Never waits."""
        self._handlers.append(handler)
        if self._scarce:
            handler.park()

    def leave(self, handler: Handler) -> None:
        """Remove a consumer. Never waits."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    def put(self, handler: Handler, delivery: AmqpDelivery) -> None:
        """Handle a delivery as soon as a worker is free. Never waits."""
        if self._waiting or not self._workers.try_start(handler.handle, delivery):
            self._waiting.append((handler, delivery, time.monotonic()))
            self._more.set()

    def withdraw(self, handler: Handler) -> list[AmqpDelivery]:
        """Remove and return the deliveries that wait for this handler. Never waits."""
        withdrawn = [entry[1] for entry in self._waiting if entry[0] is handler]
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not handler)
        return withdrawn

    def stop(self) -> None:
        """Start no more handlers."""
        self._feeder.kill()

    def _feed(self) -> bool:
        """Start the waiting deliveries; return True when the workers have ended."""
        self._more.wait()
        self._more.clear()
        while self._waiting:
            if not self._start_first():
                if self._workers.free >= 1:
                    return True
                left = self._waiting[0][2] + _LONGEST_WAIT - time.monotonic()
                if not self._workers.wait_free(max(min(left, _STUCK), 0)):
                    return self._ration()
        return False

    def _start_first(self) -> bool:
        handler, delivery, _ = self._waiting[0]
        started = self._workers.try_start(handler.handle, delivery)
        if started:
            self._waiting.popleft()
        return started

    def _ration(self) -> bool:
        """Fetch an event for each worker that becomes free, until workers are not scarce any more.

        Return True when the workers have ended.
        """
        logger.info('handlers wait for workers; events are fetched one at a time')
        self._scarce = True
        try:
            # events that went back and were not fetched again
            owed = sum(handler.park() for handler in tuple(self._handlers))
            calm_since = time.monotonic()
            while True:
                asked = time.monotonic()
                self._workers.wait_free()
                now = time.monotonic()
                # A worker that was not free for so long means that workers are still scarce.
                if now - asked > _STUCK:
                    calm_since = now
                # What could not go back, or was on its way when the consumers were parked, goes
                # first. If it is refused although a worker is free, the workers have been killed.
                if self._waiting:
                    if not self._start_first() and self._workers.free >= 1:
                        return True
                # All queues are empty, or workers have become free quickly for long enough.
                elif not self._fetch() or (owed <= 0 and now - calm_since > _CALM):
                    return False
                else:
                    owed -= 1
        finally:
            self._scarce = False
            # `_feed` has cleared the signal; what still waits is started by its next call.
            if self._waiting:
                self._more.set()
            for handler in tuple(self._handlers):
                handler.resume()

    def _fetch(self) -> bool:
        """Begin an event of the next consumer that has one; return False if none has."""
        for _ in range(len(self._handlers)):
            if not self._handlers:
                break
            handler = self._handlers[0]
            self._handlers.rotate(-1)
            if handler.fetch():
                return True
        return False
