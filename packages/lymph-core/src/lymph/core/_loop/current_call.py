"""The call that runs in the current context; it knows its deadline and whether its caller gave up.

A deferred call belongs to the call that started it, and runs in a copy of its context. Events,
tasks and spawned greenlets belong to no call.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

__all__ = ['Cancellable', 'CurrentCall', 'current_call', 'set_current_call']


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


_call: ContextVar[CurrentCall | None] = ContextVar('lymph_call', default=None)

#: returns the call of the current context, None if it has none
current_call = _call.get
#: sets the call of the current context; None removes it
set_current_call = _call.set
