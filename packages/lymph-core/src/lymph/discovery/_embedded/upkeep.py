"""Puts back what somebody removed: files of instances, the doorbell, directories above them.

Nothing tells of a file that is removed, so they are looked at every `INTERVAL` seconds, which costs
a system call or two for each file of this process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gevent

__all__ = ['INTERVAL', 'Upkeep']

INTERVAL: Final = 2.0  # seconds


class Upkeep:
    """Calls `missing()` in the hub at intervals and, when it is true, `repair()` in a greenlet.

    `spawn` starts that greenlet. `missing` must not wait. The timer keeps no loop alive.
    """

    def __init__(
        self,
        missing: Callable[[], bool],
        repair: Callable[[], None],
        spawn: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._missing = missing
        self._repair = repair
        self._spawn = spawn
        self._timer: Any = None
        self._greenlet: gevent.Greenlet[..., Any] | None = None

    def start(self) -> None:
        """Begin to look; again is ignored."""
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(INTERVAL, INTERVAL, ref=False)
            self._timer.start(self._look)

    def close(self) -> None:
        """Look no more; it may be started again."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()

    def abandon(self) -> None:
        """Look no more, in a forked child."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _look(self) -> None:
        if (self._greenlet is None or self._greenlet.dead) and self._missing():
            self._greenlet = self._spawn(self._repair)
