"""Facts about the handler of a subscription, for its chain of interceptors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lymph.core.events import Event

__all__ = ['HandlerWork']


@dataclass(frozen=True)
class HandlerWork:
    """The work of a handler.

    =============  ===============================================================================
    name           the handler or task: ``stock.on_order``
    interface      the interface that it belongs to
    kind           ``event`` or ``task``
    restored       returns the event as it was emitted, for a queue that has it in another form
    intercepted    false for lymph's own handlers, which only pass events on
    runtime        whether it was subscribed at run time, to a queue with a name of its own each
                   time
    =============  ===============================================================================
    """

    name: str
    interface: Any = None
    kind: Literal['event', 'task'] = 'event'
    restored: Callable[[Event], Event] | None = None
    intercepted: bool = True
    runtime: bool = False
