"""Queue names: every handler and task has a queue that no other interface can have.

==========================  ========================================================
``<interface>.<name>``      the queue of a handler or task; `name` is that of the
                            method, or the `queue_name` the handler was declared with
``<interface>.<name>.<n>``  the queue of partition `n` of a serial handler, from 0
==========================  ========================================================

An event system may put something in front, to tell its systems apart.
"""

from __future__ import annotations

__all__ = ['is_partition', 'partition_queue', 'queue_name']


def queue_name(interface: str, name: str) -> str:
    """Return the queue of a handler or task of the interface that is called `interface`."""
    return f'{interface}.{name}'


def partition_queue(queue: str, partition: int) -> str:
    """Return the queue of a partition of the serial handler that has `queue`."""
    return f'{queue}.{partition}'


def is_partition(name: str, queue: str) -> bool:
    """Tell whether `name` is that of a partition of the serial handler that has `queue`."""
    start, _, number = name.rpartition('.')
    return start == queue and number.isascii() and number.isdecimal()
