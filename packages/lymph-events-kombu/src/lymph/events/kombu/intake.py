"""From deliveries to workers: at once while there is room, else in order of arrival."""

from __future__ import annotations

import logging
from collections import deque
from typing import Protocol

from gevent.event import Event

from lymph.core.greenlets import Greenlet
from lymph.core.workers import Workers
from lymph.events.kombu.loops import go_on
from lymph.events.kombu.sessions import Delivery

__all__ = ['Handler', 'Intake']

logger = logging.getLogger(__name__)


class Handler(Protocol):
    """Who handles deliveries."""

    def handle(self, delivery: Delivery) -> None:
        """Handle a delivery, in a worker."""


class Intake:
    """Runs handlers in workers. What waits is bounded by what the broker sends ahead."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._waiting: deque[tuple[Handler, Delivery]] = deque()
        self._more = Event()
        self._feeder = Greenlet.spawn(go_on, logger, 'starting handlers', self._feed)

    def put(self, handler: Handler, delivery: Delivery) -> None:
        """Have a delivery handled as soon as a worker is free. Never waits."""
        if self._waiting or not self._workers.try_start(handler.handle, delivery):
            self._waiting.append((handler, delivery))
            self._more.set()

    def withdraw(self, handler: Handler) -> list[Delivery]:
        """Return what still waits for this handler; it will not be handled. Never waits."""
        withdrawn = [delivery for whose, delivery in self._waiting if whose is handler]
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not handler)
        return withdrawn

    def stop(self) -> None:
        """Start nothing more."""
        self._feeder.kill()

    def _feed(self) -> bool:
        """Start what waits; returns true when the workers are ended."""
        self._more.wait()
        self._more.clear()
        while self._waiting:
            handler, delivery = self._waiting[0]
            if self._workers.try_start(handler.handle, delivery):
                self._waiting.popleft()
            elif self._workers.free >= 1:
                return True
            else:
                self._workers.wait_free()
        return False
