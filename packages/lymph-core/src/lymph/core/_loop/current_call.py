"""The call that runs in the current context; it knows its deadline and whether its caller gave up.

A deferred call belongs to the call that started it, and runs in a copy of its context. Events,
tasks and spawned greenlets belong to no call. The id of the unit of work tells where they come from
too: that of an event is set, and a spawned greenlet has that of the unit that spawned it.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextvars import ContextVar
from typing import Protocol

__all__ = [
    'Cancellable',
    'CurrentCall',
    'current_call',
    'current_work',
    'marked_work',
    'set_current_call',
    'set_current_work',
]


class Cancellable(Protocol):
    """What cancels a call; see `lymph.core._work.cancelling`."""

    open: bool

    def join(self) -> None:
        """Add the current greenlet. Raises Cancelled if the call was cancelled meanwhile."""

    def leave(self) -> None:
        """Remove the current greenlet."""


class CurrentCall(Protocol):
    """What the code of a call may ask of it."""

    deadline: float | None  # a time of `time.monotonic`

    @property
    def cancellation(self) -> Cancellable | None:
        """What cancels it; None if it is not cancelled."""

    @property
    def given_up(self) -> bool:
        """Whether nobody waits for the answer any more."""

    @property
    def work(self) -> bytes | None:
        """The id of its unit of work; None if that was set with `set_current_work`."""


_call: ContextVar[CurrentCall | None] = ContextVar('lymph_call', default=None)

#: returns the call of the current context, None if it has none
current_call = _call.get
#: sets the call of the current context; None removes it
set_current_call = _call.set

_work: ContextVar[Hashable] = ContextVar('lymph_work', default=None)

#: sets the id of the unit of work of the current context, which is no call
set_current_work = _work.set
#: returns this id, None if none was set
marked_work = _work.get


def current_work() -> Hashable:
    """Return the id of the unit of work that the current context belongs to, None without one."""
    call = _call.get()
    id = None if call is None else call.work
    return _work.get() if id is None else id
