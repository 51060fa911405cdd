"""One serial handler in one instance: it feeds, or stands by to, and consumes its partitions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import gevent
from gevent.event import Event as Signal

from lymph.core._declaring.binding import bound
from lymph.core._protocol.partitions import partition_of
from lymph.core.events import Event
from lymph.core.failures import Killed, described, error_line, error_text, log_failure
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.core.partitioning import Partitioner
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.queue_names import partition_queue, queue_name
from lymph.events.versions import check_type
from lymph.exceptions import EventRejected, LymphError, SerializationError
from lymph.patterns._serial_events.carrying import carried, is_carried, topic_of
from lymph.patterns._serial_events.declaring import SerialDeclaration
from lymph.patterns._serial_events.keys import key_text
from lymph.patterns._serial_events.queues import feeding, handling

__all__ = ['SerialHandler', 'SerialHost']

logger = logging.getLogger(__name__)

describe(
    'serial_events.partitions',
    'gauge',
    'Partitions of a serial handler that this instance consumes, or stands by for.',
    tags=('handler',),
)

_AFTER_ERROR = 1.0  # seconds before it is tried again to consume what could not be consumed


class SerialHost(Protocol):
    """What a serial handler needs of its container."""

    identity: str

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None = None
    ) -> Subscription:
        """Subscribe a handler; returns what `unsubscribe` takes."""

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""


class SerialHandler:
    """The handler that `declaration` describes, on one interface; `run` in a greenlet.

    `group` names it among all handlers of all services.
    """

    def __init__(
        self,
        declaration: SerialDeclaration,
        interface: Any,
        name: str,
        host: SerialHost,
        partitioner: Partitioner,
    ) -> None:
        self.group = queue_name(interface.name, name)
        self._declaration = declaration
        self._interface = interface
        plan = declaration.types.plan(type(interface), name)
        handler = bound(interface, name)
        self._handler = handler if plan is None else plan.around(handler)
        self._host = host
        self._partitioner = partitioner
        self._assigned: frozenset[int] = frozenset()
        self._consumed: dict[int, Subscription] = {}
        self._wake = Signal()
        self._left = Signal()

    def __iter__(self) -> Iterator[Sample]:
        """Yield how many partitions are consumed here, as a metric."""
        yield 'serial_events.partitions', len(self._consumed), {'handler': self.group}

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that this instance consumes, or stands by for."""
        return frozenset(self._consumed)

    def start(self) -> None:
        """Begin to feed and have partitions assigned; the queues are there."""
        count = self._declaration.partition_count
        while self._host.events.has_queue(partition_queue(self.group, count)):
            count += 1  # from a time when there were more; what is in it is to be handled
        self._partitioner.join(self.group, self._host.identity, count, self._assign)
        self._host.subscribe(feeding(self._declaration, self.group, self._feed))

    def leave(self) -> None:
        """Leave the group, so that others get the partitions.

        Partitions are consumed here until the event system stops.
        """
        self._left.set()
        self._wake.set()
        self._partitioner.leave(self.group, self._host.identity)

    def run(self) -> None:
        """Consume what is assigned, until it has left."""
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._left.is_set():
                return
            try:
                self._follow()
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the event system raises
                if self._left.is_set():  # it refuses, because it is being stopped
                    logger.debug('%s: left meanwhile: %s', self.group, error_line(error))
                    return
                if isinstance(error, LymphError):
                    logger.error('%s: trying again: %s', self.group, error_text(error))
                else:
                    log_failure(logger, error, '%s: trying again', self.group)
                gevent.sleep(_AFTER_ERROR)
                self._wake.set()

    def _assign(self, partitions: frozenset[int]) -> None:
        self._assigned = partitions
        self._wake.set()

    def _follow(self) -> None:
        """Consume the assigned partitions and no others; the assignment may change meanwhile."""
        for partition in self._consumed.keys() - self._assigned:
            self._host.unsubscribe(self._consumed[partition])
            del self._consumed[partition]
        for partition in self._assigned - self._consumed.keys():
            if self._left.is_set() or partition not in self._assigned:
                continue
            subscription = self._host.subscribe(
                handling(self._declaration, self.group, partition, self._handle, self._interface)
            )
            self._consumed[partition] = subscription
            if self._left.is_set():  # meanwhile, and the event system is paused already
                self._host.unsubscribe(subscription)

    # Events.

    def _feed(self, event: Event) -> None:
        if is_carried(event):
            return
        partition = partition_of(self._key_of(event), self._declaration.partition_count)
        try:
            self._host.events.emit(carried(event, topic_of(self.group, partition)))
        except (SerializationError, ValueError) as error:
            raise EventRejected(f'{self.group}: cannot be carried: {error}') from error

    def _key_of(self, event: Event) -> str:
        try:
            key: object = self._declaration.key(self._interface, event)
        except Killed:
            raise
        except BaseException as error:
            told = f'{self.group}: the key function raised {error_line(error)}'
            raise EventRejected(told) from error
        text = key_text(key)
        if text is None:
            raise EventRejected(
                f'{self.group}: expected a text, int, UUID or bytes as key, found {described(key)}'
            )
        return text

    def _handle(self, event: Event) -> Any:
        check_type(self._declaration.event_types, event.type)
        return self._handler(event)
