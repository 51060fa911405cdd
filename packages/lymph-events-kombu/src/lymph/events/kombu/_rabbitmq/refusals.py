"""Publications that the broker refused (basic.nack), until it is worth trying them again.

A broker refuses what it cannot take now: a queue is full, or has lost its leader. So they are sent
again after a pause, which grows while refusals go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import gevent

from lymph.core.greenlets import Greenlet

__all__ = ['Refusals']

T = TypeVar('T')

_FIRST, _LONGEST = 0.1, 2.0  # seconds


class Refusals(Generic[T]):
    """Holds what was refused; `again(refused)` is called with it, in order, after the pause."""

    def __init__(self, again: Callable[[Sequence[T]], object]) -> None:
        self._again = again
        self._held: dict[T, None] = {}
        self._pause = _FIRST
        self._waiting: Greenlet | None = None

    def __len__(self) -> int:
        return len(self._held)

    def add(self, publication: T) -> None:
        """Hold one more. Never waits."""
        self._held[publication] = None
        if self._waiting is None:
            self._waiting = Greenlet.spawn(self._wait)

    def discard(self, publication: T) -> bool:
        """Let go of one; returns whether it was here."""
        return self._held.pop(publication, self) is None

    def over(self) -> None:
        """Note that the broker takes again what it had refused."""
        self._pause = _FIRST

    def release(self) -> None:
        """Have all that is held tried again now."""
        if self._waiting is not None:
            self._waiting.kill(block=False)
            self._waiting = None
        self._let_go()

    def _wait(self) -> None:
        gevent.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST)
        self._waiting = None
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, {}
        if held:
            self._again(list(held))
