"""The event handlers and tasks of a container's interfaces: first their queues, then their events.

The queues exist before `on_start` of anything that an author wrote: what a part emits while it
starts, to itself or to another part of the same process, waits there. Events are delivered when
everything has started.

==================  ================  ====================
queue of            in an instance    in a worker
==================  ================  ====================
an event handler    consumed          kept for instances
a serial handler    consumed          kept for instances
a task              kept for workers  consumed
==================  ================  ====================

Queues that end with whoever consumes them (broadcast, once) exist only there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from lymph.core.components import Component
from lymph.core.hosting.former_queues import warn_of_former_queues
from lymph.core.hosting.subscriptions import (
    check_queues,
    event_subscriptions,
    newest_first,
    of_newest,
    task_subscriptions,
)
from lymph.core.interfaces import Interface
from lymph.events.base import BaseEventSystem, Subscription
from lymph.patterns.serial_events.running import SerialEvents

__all__ = ['Handlers', 'Host']


class Host(Protocol):
    """What the handlers need of their container."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Subscribe a handler."""


class Handlers(Component):
    """Prepares the queues when it starts; `consume` begins to deliver."""

    def __init__(
        self,
        host: Host,
        interfaces: Callable[[], Iterable[Interface]],
        serial_events: SerialEvents,
        worker: bool,
    ) -> None:
        super().__init__()
        self._host = host
        self._interfaces = interfaces
        self._serial_events = serial_events
        self._worker = worker
        self._consumed: list[Subscription] = []

    def on_start(self) -> None:
        """Make and bind all queues; raises SubscriptionError."""
        interfaces = newest_first(self._interfaces())
        for interface in interfaces:
            check_queues(interface)
        events = list(of_newest(interfaces, event_subscriptions))
        tasks = list(of_newest(interfaces, task_subscriptions))
        self._consumed, kept = (tasks, events) if self._worker else (events, tasks)
        kept = [subscription for subscription in kept if not subscription.temporary]
        kept += self._serial_events.queues(interfaces)
        if kept or self._consumed:
            self._host.events.prepare(self._consumed, kept)

    def consume(self) -> None:
        """Begin to consume; raises SubscriptionError."""
        for subscription in self._consumed:
            self._host.subscribe(subscription)
        if not self._worker:
            interfaces = newest_first(self._interfaces())
            warn_of_former_queues(interfaces, lambda queue: self._host.events.has_queue(queue))
            self._serial_events.run(interfaces)
