"""The queues of a container's interfaces: two interfaces never share one.

`lymph.core._declaring.own_queues` checks those of one interface when its class is made. Names of
interfaces and queues may have dots, so two interfaces can have one queue: ``shop`` with a handler
of the queue ``eu.paid``, and ``shop.eu`` with a handler ``paid``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lymph.config.printable import quoted
from lymph.core._declaring.declarations import declared
from lymph.core.interfaces import Interface
from lymph.events.queue_names import is_partition, queue_name
from lymph.exceptions import SubscriptionError
from lymph.patterns._serial_events.declaring import SerialDeclaration

__all__ = ['check_owners']


def check_owners(interfaces: Iterable[Interface]) -> None:
    """Raise SubscriptionError if two interfaces have one queue; versions of one share theirs."""
    owners: dict[str, tuple[str, str]] = {}
    groups: dict[str, tuple[str, str]] = {}
    found = list(_queues(interfaces))
    for queue, interface, name, partitioned in found:
        owners.setdefault(queue, (interface, name))
        if partitioned:
            groups.setdefault(queue, (interface, name))
    for queue, interface, name, _ in found:
        feeders = [owner for group, owner in groups.items() if is_partition(queue, group)]
        for owner, other in (owners[queue], *feeders):
            if owner != interface:
                raise SubscriptionError(
                    f'expected a queue of its own for each handler, found {quoted(queue)} for '
                    f'{other} of {owner} and {name} of {interface}; '
                    'give one of them another queue_name, or one interface another name'
                )


def _queues(interfaces: Iterable[Interface]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield each queue with its interface, its handler or task, and whether it has partitions."""
    for each in interfaces:
        for name, handler in each.event_handlers.items():
            yield queue_name(each.name, handler.queue(name)), each.name, name, False
        for name, task in each.tasks.items():
            yield queue_name(each.name, task.queue(name)), each.name, name, False
        for name, serial in declared(type(each), SerialDeclaration).items():
            yield queue_name(each.name, serial.queue(name)), each.name, name, True
