"""Turns of the loop: a connection that never has to wait lets others run, too.

A socket that is always ready is read and written without a switch to the hub, so that one client
who sends as fast as it can would hold up everything else in the process.
"""

from __future__ import annotations

import gevent

__all__ = ['Turns']

_TURN = 32 * 1024  # bytes, or what costs as much: a few milliseconds at the worst
# What a system call and its switch cost, however few bytes it moves.
_CALL = 256
# `sleep(0)` only goes behind the callbacks that are due, a hundred times in a row before the loop
# looks at its sockets; a timer, however short, is due after it has.
_SHORTEST = 1e-6  # seconds


class Turns:
    """Counts the work of one connection since it last let the loop run."""

    def __init__(self) -> None:
        self._spent = 0

    def spend(self, cost: int) -> None:
        """Count work on `cost` bytes; let the loop run if it adds up to a turn."""
        self._spent += cost + _CALL
        if self._spent >= _TURN:
            self.give()

    def give(self) -> None:
        """Let the loop look at all its sockets and run what is due."""
        self._spent = 0
        gevent.sleep(_SHORTEST)
