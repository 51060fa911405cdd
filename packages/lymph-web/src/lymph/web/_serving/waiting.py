"""What a connection waits for, with a deadline: the client, or a worker that answers it.

A deadline costs a connection one entry among those of all connections, which is looked at when it
is due: moving the deadline to a later time costs nothing.
"""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from greenlet import getcurrent

from lymph.core._loop.deadlines import Expirations

__all__ = ['MOVED', 'NEVER', 'WaitingHost', 'WaitingLink']

NEVER: Final = float('inf')
#: What a worker waited for has happened, or the connection is broken.
MOVED: Final = 'moved'
_TIMED_OUT: Final = 'timed out'


class WaitingHost(Protocol):
    """What connections share."""

    timers: Expirations
    #: the hub, in which connections are watched
    hub: Any


class WaitingLink:
    """The deadline of a connection, and the one worker that may wait for its client."""

    __slots__ = (
        '_broken',
        '_deadline',
        '_due',
        '_hub',
        '_reading',
        '_ticket',
        '_timers',
        '_waiter',
    )

    def __init__(self, host: WaitingHost) -> None:
        self._hub = host.hub
        self._timers = host.timers
        self._broken: str | None = None  # why nothing can be sent any more
        self._waiter: Any = None  # the worker that waits for the client
        self._reading = False  # whether it waits for bytes to arrive
        self._deadline = NEVER  # of the state, or of the worker that waits
        self._due = NEVER  # when the timer looks at the deadline; not later than it
        self._ticket: int | None = None

    def _expire_at(self, deadline: float) -> None:
        self._deadline = deadline
        # a later deadline is found out when the timer looks
        if deadline < self._due:
            if self._ticket is not None:
                self._timers.discard(self, self._ticket)
            self._ticket = self._timers.add(self, deadline)
            self._due = deadline

    def expire(self) -> None:
        """Handle that a deadline may have passed. Runs in the hub."""
        self._ticket, self._due = None, NEVER
        if self._deadline > time.monotonic():
            if self._deadline != NEVER:
                self._expire_at(self._deadline)
            return
        self._deadline = NEVER
        if self._waiter is not None:
            self._wake(_TIMED_OUT)
        else:
            self._expired()

    def _expired(self) -> None:
        """Handle that the state has lasted too long."""
        raise NotImplementedError

    def _forget_deadline(self) -> None:
        """Never call `expire` again."""
        if self._ticket is not None:
            self._timers.discard(self, self._ticket)

    def _wait(self, until: float, reading: bool) -> None:
        """Wait until a watcher has called; raises TimeoutError at `until`, and OSError."""
        if self._waiter is not None:
            raise RuntimeError('a connection is used by two greenlets at once')
        if self._broken is not None:
            raise ConnectionError(self._broken)
        self._waiter, self._reading = getcurrent(), reading
        self._expire_at(until)
        try:
            # whatever else may switch to a greenlet that an application runs in
            while (outcome := self._hub.switch()) not in (MOVED, _TIMED_OUT):
                pass
        finally:
            self._waiter, self._reading = None, False
            self._deadline = NEVER
        if outcome is _TIMED_OUT:
            raise TimeoutError
        if self._broken is not None:
            raise ConnectionError(self._broken)

    def _wake(self, outcome: str) -> None:
        waiter, self._waiter, self._reading = self._waiter, None, False
        waiter.switch(outcome)

    def _release(self) -> None:
        """Wake the worker, which then finds the connection closed. Runs in the hub."""
        if self._waiter is not None:
            self._wake(MOVED)
