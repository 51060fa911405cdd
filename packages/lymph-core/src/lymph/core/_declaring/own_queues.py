"""Checks that each handler and task of an interface has its own queue.

The event system cannot check this: tasks run in workers, so a process may have only one of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from lymph.config.printable import quoted
from lymph.events.queue_names import is_partition

__all__ = ['Queued', 'check_queues']


@runtime_checkable
class Queued(Protocol):
    """A declaration of something that consumes a queue."""

    def queue(self, name: str) -> str:
        """Return the queue's name after that of the interface; `name` is the attribute."""

    @property
    def partitioned(self) -> bool:
        """Whether there are queues of partitions too."""


def check_queues(cls: str, declarations: Mapping[str, object]) -> None:
    """Raise TypeError if two of these declarations of a class have the same queue."""
    queued = {name: each for name, each in declarations.items() if isinstance(each, Queued)}
    serial = {each.queue(name): name for name, each in queued.items() if each.partitioned}
    owners: dict[str, str] = {}
    for name, each in queued.items():
        queue = each.queue(name)
        feeders = (feeder for group, feeder in serial.items() if is_partition(queue, group))
        owner = next(feeders, owners.setdefault(queue, name))
        if owner != name:
            raise TypeError(
                f'{cls}: expected a queue of its own for each handler, found {quoted(queue)} for '
                f'{owner} and {name}; '
                'give one of them another queue_name, or both event types to one handler'
            )
