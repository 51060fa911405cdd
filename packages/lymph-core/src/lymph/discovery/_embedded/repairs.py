"""Checks at intervals whether somebody removed a file of this process, and has it put back.

Nothing reports that a file is removed, so the files are checked every `INTERVAL` seconds, which
costs a system call or two for each file of this process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gevent

__all__ = ['INTERVAL', 'RepairTimer']

INTERVAL: Final = 2.0  # seconds


class RepairTimer:
    """Calls `missing()` in the hub at intervals and, when it is true, `repair()` in a greenlet.

    `spawn` starts the greenlet. `missing` must not wait. The timer keeps no loop alive.
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
        """Begin to check. Idempotent."""
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(INTERVAL, INTERVAL, ref=False)
            self._timer.start(self._check)

    def close(self) -> None:
        """Stop checking, and a repair that runs; `start` begins again."""
        self.abandon()
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()

    def abandon(self) -> None:
        """Stop checking, in a forked child. Idempotent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()

    def _check(self) -> None:
        if (self._greenlet is None or self._greenlet.dead) and self._missing():
            self._greenlet = self._spawn(self._repair)
