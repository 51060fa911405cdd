"""Queues of earlier versions, where `queue_name` was the whole name of a queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from lymph.config.printable import quoted
from lymph.core.interfaces import Interface
from lymph.events.queue_names import queue_name
from lymph.exceptions import LymphError

__all__ = ['warn_of_former_queues']

logger = logging.getLogger(__name__)


def warn_of_former_queues(
    interfaces: Iterable[Interface], has_queue: Callable[[str], bool]
) -> None:
    """Warn of each queue that a handler consumed in earlier versions and that still exists.

    Nothing consumes such a queue, and it still collects events. `has_queue` is that of the event
    system; it is called only for handlers with a `queue_name`.
    """
    for interface in interfaces:
        for name, handler in interface.event_handlers.items():
            former = handler.queue_name
            if (
                former is None
                or handler.broadcast
                or handler.once
                or not _exists(has_queue, former)
            ):
                continue
            logger.warning(
                'the queue of %s.%s is %s; a queue %s, as earlier versions called it, is there '
                'too: if no other handler has it, see with `lymph queues` whether it holds events, '
                'and drop it',
                interface.name,
                name,
                quoted(queue_name(interface.name, former)),
                quoted(former),
            )


def _exists(has_queue: Callable[[str], bool], queue: str) -> bool:
    try:
        return has_queue(queue)
    except LymphError:  # an impossible name, or a fault that the subscription will report
        return False
