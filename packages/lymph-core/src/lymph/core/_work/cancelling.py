"""Cancelling the greenlets of one call that nobody waits for any more."""

from __future__ import annotations

import time
from typing import Final, Protocol

from greenlet import getcurrent, greenlet

from lymph.core._loop.deadlines import Expirations
from lymph.core._work.shield import shielded
from lymph.exceptions import Cancelled, CancelReason

__all__ = ['Cancellation']

_NEVER: Final = 1e10  # a time of `time.monotonic` that is 300 years away
_AGAIN: Final = 0.01  # seconds after which a call is cancelled that was closing resources


class _Answerable(Protocol):
    deadline: float | None
    reply_sent: bool


class Cancellation:
    """Throws Cancelled into the greenlets of a call, at most once and before its answer.

    It waits while one of them closes resources, and the call may end meanwhile.
    The greenlets are that of the handler and those of the calls that it has deferred. Each one
    leaves before it goes on to another task.

    ========  ===========================  ====================================================
    state     meaning                      next
    ========  ===========================  ====================================================
    open      the call can be cancelled    thrown, by `throw`; settled, by `settle` and `end`
    thrown    it has been cancelled        stays
    settled   it ends undisturbed          stays
    ========  ===========================  ====================================================
    """

    __slots__ = ('_call', '_expirations', '_greenlets', '_reason', '_ticket', 'open', 'thrown')

    def __init__(self, expirations: Expirations) -> None:
        self.open = True
        self.thrown = False
        self._expirations = expirations
        self._call: _Answerable | None = None
        self._greenlets: set[greenlet] = set()
        self._reason: CancelReason = 'deadline'  # with which `expire` cancels the call
        self._ticket: int | None = None

    def begin(self, call: _Answerable) -> None:
        """Begin a call in the current greenlet; it is cancelled at its deadline at the latest."""
        self._call = call
        self._greenlets.add(getcurrent())
        if call.deadline is not None and call.deadline < _NEVER:
            self._ticket = self._expirations.add(self, call.deadline)

    def join(self) -> None:
        """Add the current greenlet. Raises Cancelled if the call was cancelled meanwhile."""
        if self.thrown:
            raise Cancelled
        if self.open:
            self._greenlets.add(getcurrent())

    def leave(self) -> None:
        """Remove the current greenlet."""
        self._greenlets.discard(getcurrent())

    def expire(self) -> None:
        """Cancel the call at its deadline, or after it could not be cancelled."""
        self.throw(self._reason)

    def throw(self, reason: CancelReason) -> None:
        """Cancel the call if it is open. Runs in the hub, so all greenlets of the call wait."""
        # after the answer, the rest of the method is no concern of the caller
        if not self.open or self._call is None or self._call.reply_sent:
            return
        if any(map(shielded, self._greenlets)):
            self._forget_ticket()
            self._reason = reason
            self._ticket = self._expirations.add(self, time.monotonic() + _AGAIN)
            return
        self.open = False
        self.thrown = True
        greenlets = self._greenlets
        while greenlets:
            greenlets.pop().throw(Cancelled(reason))

    def settle(self) -> None:
        """Let the call end undisturbed, unless it was cancelled already."""
        if self.open:
            self.open = False
            self._greenlets.clear()

    def end(self) -> None:
        """End the call in the current greenlet, and forget it."""
        self.settle()
        self.leave()  # `throw` may still have to reach other greenlets
        self._call = None
        self._forget_ticket()

    def _forget_ticket(self) -> None:
        if self._ticket is not None:
            self._expirations.discard(self, self._ticket)
