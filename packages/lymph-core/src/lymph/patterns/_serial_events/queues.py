"""The queues of a serial handler, as subscriptions: the one it is fed from, and its partitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lymph.core._work.handling import HandlerWork
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.queue_names import partition_queue, queue_name
from lymph.patterns._serial_events.carrying import restored, topic_of
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['feeding', 'handling', 'queues_of']

_FOR_EVER = 1_000_000  # attempts of the feeder to emit: what is behind must not overtake the event

_Handler = Callable[[Event], Any]


def feeding(declaration: SerialDeclaration, group: str, handler: _Handler) -> Subscription:
    """Return the subscription of the feeder."""
    return Subscription(
        group,
        declaration.event_types,
        handler,
        retry=_FOR_EVER,
        exclusive=True,
        work=HandlerWork(group, intercepted=False),
    )


def handling(
    declaration: SerialDeclaration, group: str, partition: int, handler: _Handler, interface: Any
) -> Subscription:
    """Return the subscription of a partition."""
    return Subscription(
        partition_queue(group, partition),
        (topic_of(group, partition),),
        handler,
        retry=declaration.retry,
        exclusive=True,
        work=HandlerWork(group, interface, restored=restored),
    )


def queues_of(declaration: SerialDeclaration, interface: Any, name: str) -> list[Subscription]:
    """Return what is declared before anything is fed; the partitions come first.

    An event that is fed into a partition which no queue collects would be lost.
    """
    group, handler = queue_name(interface.name, name), getattr(interface, name)
    partitions = range(declaration.partition_count)
    queues = [
        handling(declaration, group, partition, handler, interface) for partition in partitions
    ]
    return [*queues, feeding(declaration, group, handler)]
