"""Continuing work in the next iteration of the loop, so that other events are handled in between.

`loop.run_callback` does not do this: gevent runs up to 50 callbacks, including those added
meanwhile, before it checks the clock, and only then polls descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

__all__ = ['NextTurn']


class NextTurn:
    """Calls `func` in the hub in the next iteration of the loop, once for several requests."""

    def __init__(self, func: Callable[[], None]) -> None:
        self._func = func
        self._timer: Any = None
        self._closed = False

    def ask(self) -> None:
        """Request a call in the next iteration."""
        if self._closed:
            return
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(0)
        if not self._timer.active:
            self._timer.start(self._func)

    def close(self) -> None:
        """Do not call `func` any more, and drop the reference to it."""
        self._closed = True
        self._func = _nothing
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()


def _nothing() -> None:
    """Replace `func` after `close`."""
