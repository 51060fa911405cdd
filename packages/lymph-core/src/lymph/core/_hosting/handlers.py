"""The event handlers and tasks of a container's interfaces: first their queues, then their events.

The queues are made before any `on_start` of the author's code: an event that a component emits
while it starts, to itself or to another component of the process, waits in its queue. Events are
delivered when everything has started.

==================  ================  ====================
queue of            in an instance    in a worker
==================  ================  ====================
an event handler    consumed          kept for instances
a serial handler    consumed          kept for instances
a task              kept for workers  consumed
==================  ================  ====================

Temporary queues (broadcast, once) exist only where they are consumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from lymph.core._hosting.former_queues import warn_of_former_queues
from lymph.core._hosting.queue_metrics import QueueMetrics
from lymph.core._hosting.queue_owners import check_owners
from lymph.core._hosting.subscriptions import (
    event_subscriptions,
    newest_first,
    of_newest,
    task_subscriptions,
)
from lymph.core._hosting.untaken_tasks import warn_of_untaken_tasks
from lymph.core.components import Component
from lymph.core.interfaces import Interface
from lymph.events.base import BaseEventSystem, Subscription
from lymph.patterns._serial_events.running import SerialEvents

__all__ = ['Handlers', 'HandlersHost']


class HandlersHost(Protocol):
    """What `Handlers` needs of its container."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Subscribe a handler."""


class Handlers(Component):
    """Makes the queues when it starts; `consume` begins to deliver events."""

    def __init__(
        self,
        host: HandlersHost,
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
        #: the queues that are kept for workers
        self.tasks: list[str] = []
        self._figures: QueueMetrics | None = None

    def on_start(self) -> None:
        """Make and bind all queues of the table above; raises SubscriptionError."""
        interfaces = newest_first(self._interfaces())
        check_owners(interfaces)
        events = list(of_newest(interfaces, event_subscriptions))
        tasks = list(of_newest(interfaces, task_subscriptions))
        self._consumed, kept = (tasks, events) if self._worker else (events, tasks)
        kept = [subscription for subscription in kept if not subscription.temporary]
        kept += self._serial_events.queues(interfaces)
        if kept or self._consumed:
            self._host.events.prepare(self._consumed, kept)
        self.tasks = [] if self._worker else [each.queue_name for each in tasks if each in kept]
        durable = [each.queue_name for each in (*self._consumed, *kept) if not each.temporary]
        if durable:
            self._figures = QueueMetrics(self, lambda: self._host.events.queues, durable)
            self.metrics.add(self._figures)

    def on_stop(self) -> None:
        """Remove the metrics of the queues."""
        if self._figures is not None:
            self.metrics.remove(self._figures)
            self._figures = None

    def consume(self) -> None:
        """Begin to consume events and tasks; raises SubscriptionError."""
        for subscription in self._consumed:
            self._host.subscribe(subscription)
        if not self._worker:
            interfaces = newest_first(self._interfaces())
            warn_of_former_queues(interfaces, lambda queue: self._host.events.has_queue(queue))
            self._serial_events.run(interfaces)
        if self.tasks and self._host.events.queues is not None:
            self.spawn(warn_of_untaken_tasks, self._host.events.queues, self.tasks)
