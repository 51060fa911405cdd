"""Limits for the log lines that one peer or one failing method can cause.

A peer that sends junk, or a method that fails on each call, causes a line each time. Thousands of
lines a second would fill the disk and hide everything else. So at most `LINES` lines with the same
cause are written in `WINDOW` seconds; then one line says how many were left out.

A server that cannot be reached causes a line with each attempt: a `Reminder` admits the first line,
then one a minute.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable
from typing import Any, Final

import gevent

from lymph.config.printable import printable
from lymph.core.failures import log_failure

__all__ = ['LINES', 'OTHERS', 'REMIND', 'WINDOW', 'LimitedLog', 'LineCounts', 'Reminder']

LINES: Final = 10
WINDOW: Final = 1.0  # seconds
REMIND: Final = 60.0  # seconds between two lines about a lasting problem
OTHERS: Final = 'others'  # the common cause of lines whose own cause does not fit into the table

_CAUSES = 256  # entries of the table
_NAMED = 100  # characters of a cause in the line with its count


class LineCounts:
    """Decides which lines are written: at most `lines` for each cause in `window` seconds.

    The table has at most `causes` + 1 entries. `now` is a time in seconds of a monotonic clock.
    """

    def __init__(self, lines: int = LINES, window: float = WINDOW, causes: int = _CAUSES) -> None:
        self._lines = lines
        self._window = window
        self._causes = causes
        self._counts: dict[Hashable, _Count] = {}
        self._full_until = 0.0

    def __len__(self) -> int:
        return len(self._counts)

    def admit(self, cause: Hashable, level: int, now: float) -> bool:
        """Count a line of `cause`; return whether to write it.

        Once a line of a cause was left out, all its lines are, until `collect` returns their count.
        """
        count = self._counts.get(cause) or self._add(cause, now)
        if now >= count.until and not count.left_out:
            count.until = now + self._window
            count.written = 0
        if count.written < self._lines:
            count.written += 1
            return True
        count.left_out += 1
        count.level = max(count.level, level)
        return False

    def collect(self, now: float) -> list[tuple[Hashable, int, int]]:
        """Return (cause, highest level, lines left out) of causes whose window is over; reset them.

        Causes without lines left out are not returned.
        """
        entries = list(self._counts.items())  # a copy: other native threads may add entries
        over = [(c, n) for c, n in entries if n.left_out and n.until <= now]
        for cause, _ in over:
            self._counts.pop(cause, None)
        return [(cause, count.level, count.left_out) for cause, count in over]

    @property
    def pending(self) -> bool:
        """Whether lines were left out that `collect` has not returned."""
        return any(count.left_out for count in list(self._counts.values()))

    def _add(self, cause: Hashable, now: float) -> _Count:
        if len(self._counts) >= self._causes and now >= self._full_until:
            for old, count in list(self._counts.items()):
                if count.until <= now and not count.left_out:
                    self._counts.pop(old, None)
            self._full_until = now + self._window  # do not search the table again for each cause
        if len(self._counts) >= self._causes:
            cause = OTHERS
        return self._counts.setdefault(cause, _Count(now + self._window))


class _Count:
    __slots__ = ('left_out', 'level', 'until', 'written')

    def __init__(self, until: float) -> None:
        self.until = until
        self.written = self.left_out = self.level = 0


class LimitedLog:
    """A logger for lines that one cause can produce in large numbers.

    ::

        log = LimitedLog(logging.getLogger(__name__))
        log.write(logging.WARNING, peer, '%s: %s', peer, error)

    Its owner should `close` it. While lines have been left out, a timer of the loop (which does not
    keep the loop alive) writes their number; so does the next line of any cause.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._counts = LineCounts()
        self._hub = gevent.get_hub()
        self._timer: Any = None
        self._pending = False
        self._closed = False

    def write(
        self,
        level: int,
        cause: Hashable,
        text: str,
        *args: object,
        exc_info: BaseException | bool | None = None,
    ) -> bool:
        """Write a line unless `cause`, such as the address of a peer, has made too many lately.

        Returns False if the line is left out, True otherwise, even if the logger has `level` turned
        off. `exc_info` is that of `logging.Logger.log`. `str(cause)` is written in the line that
        says how many lines were left out.
        """
        if not self._logger.isEnabledFor(level):
            return True
        if not self.admit(level, cause):
            return False
        if isinstance(exc_info, BaseException):
            log_failure(self._logger, exc_info, text, *args, level=level, stacklevel=2)
        else:
            self._logger.log(level, text, *args, exc_info=exc_info, stacklevel=2)
        return True

    def admit(self, level: int, cause: Hashable) -> bool:
        """Count a line of `cause`; return whether the caller is to write it."""
        now = time.monotonic()
        if self._pending:
            self._report(now)
        if self._counts.admit(cause, level, now):
            return True
        if not self._pending:
            self._pending = True
            self._hub.loop.run_callback_threadsafe(self._start)  # this may be a native thread
        return False

    def close(self) -> None:
        """Write how many lines were left out and stop the timer."""
        self._closed = True
        self._stop()
        self._report(float('inf'))

    def _start(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._hub.loop.timer(WINDOW, WINDOW, ref=False)
            self._timer.start(self._tick)

    def _tick(self) -> None:
        self._report(time.monotonic())
        if not self._pending:
            self._stop()

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.close()

    def _report(self, now: float) -> None:
        for cause, level, count in self._counts.collect(now):
            name = printable(str(cause), _NAMED)
            self._logger.log(level, '%s: %d more lines were left out', name, count)
        self._pending = self._counts.pending


class Reminder:
    """Admits the first line about a lasting problem, then one in `every` seconds.

    A problem that ends and begins again within that time is the same problem: a server that comes
    and goes causes no more lines than one that stays away.
    """

    def __init__(self, every: float = REMIND) -> None:
        self._every = every
        self._next = float('-inf')

    def due(self, now: float) -> bool:
        """Return whether to write a line at the time `now` (seconds of a monotonic clock)."""
        if now < self._next:
            return False
        self._next = now + self._every
        return True
