"""Going on in the next iteration of the loop, when others have had their turn.

`loop.run_callback` does not do for that: gevent runs up to 50 callbacks before it looks at the
clock, those that are added meanwhile included, and only then at descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

__all__ = ['NextTurn']


class NextTurn:
    """Calls `func` in the hub, once for each iteration of the loop in which it was asked to."""

    def __init__(self, func: Callable[[], None]) -> None:
        self._func = func
        self._timer: Any = None
        self._closed = False

    def ask(self) -> None:
        """Have it called in the next iteration."""
        if self._closed:
            return
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(0)
        if not self._timer.active:
            self._timer.start(self._func)

    def close(self) -> None:
        """Call it no more, and let go of it."""
        self._closed = True
        self._func = _nothing
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()


def _nothing() -> None:
    """Stand in for a function that was let go of."""
