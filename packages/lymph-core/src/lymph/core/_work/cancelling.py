"""Cancels the greenlets of a call whose caller no longer waits."""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol

from greenlet import getcurrent, greenlet

from lymph.core._loop.deadlines import Expirations
from lymph.core._work.shield import run_when_closed
from lymph.exceptions import Cancelled, CancelReason

__all__ = ['Cancellation']

_NEVER: Final = 1e10  # a time of `time.monotonic` that is 300 years away


class _Answerable(Protocol):
    deadline: float | None
    reply_sent: bool


class Cancellation:
    """Throws Cancelled into the greenlets of a call, at most once and before its answer.

    The greenlets are those of the handler and of the calls that it has deferred. Each of them
    leaves before it starts another task.

    ========  ===========================  ====================================================
    state     meaning                      next
    ========  ===========================  ====================================================
    open      the call can be cancelled    thrown, by `throw`, but only after greenlets that
                                           close resources have closed them; settled, by
                                           `settle` and `end`
    thrown    it has been cancelled        stays
    settled   it cannot be cancelled       stays
    ========  ===========================  ====================================================
    """

    __slots__ = ('_call', '_expirations', '_greenlets', '_ticket', 'open', 'thrown')

    def __init__(self, expirations: Expirations) -> None:
        self.open = True
        self.thrown = False
        self._expirations = expirations
        self._call: _Answerable | None = None
        self._greenlets: set[greenlet] = set()
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
        """Cancel the call at its deadline."""
        self.throw('deadline')

    def throw(self, reason: CancelReason) -> None:
        """Cancel the call if it is open, after its greenlets have closed their resources.

        Runs in the hub, while all of them wait.
        """
        # once the call is answered, the rest of the method does not concern its caller
        if not self.open or self._call is None or self._call.reply_sent:
            return
        again = partial(self.throw, reason)
        if any(run_when_closed(each, again) for each in self._greenlets):
            return
        self.open = False
        self.thrown = True
        greenlets = self._greenlets
        while greenlets:
            greenlets.pop().throw(Cancelled(reason))

    def settle(self) -> None:
        """Rule out that the call is cancelled; no effect if it was cancelled already."""
        if self.open:
            self.open = False
            self._greenlets.clear()

    def end(self) -> None:
        """End the call in the current greenlet, and forget it."""
        self.settle()
        self.leave()  # `throw` may still have to reach other greenlets
        self._call = None
        if self._ticket is not None:
            self._expirations.discard(self, self._ticket)
