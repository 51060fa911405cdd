"""Log lines that need no record, for what logs once for each request.

`logging` makes a record, copies it for the formatter and writes a line at a time. For one line a
request that costs as much as the request. A `LineHandler` takes the facts of a line instead. It may
format and write many lines at once, which costs less than one by one. A `LineLog` uses that
wherever all handlers concerned can do so, and logs a record like everybody else otherwise: levels,
filters, propagation and handlers of a logging configuration have their usual effect.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from gevent.monkey import get_original

__all__ = ['Line', 'LineHandler', 'LineLog', 'TakeLine', 'handlers_of', 'ignore_line']

#: What a line is made of: a Unix time in seconds, a level, the name of a logger, a trace id, and a
#: function that makes the message, one printable line, from the facts that follow. It never raises.
Line = tuple[float, int, str, 'str | None', Callable[..., str], tuple[Any, ...]]
#: Handles a line, which may be written up to 0.1 s later. Never waits, never raises.
TakeLine = Callable[[Line], object]

_Lock: Final[Any] = get_original('_thread', 'RLock')
_KEPT = 0.1  # seconds that a change of the handlers may take until it is noticed


class LineHandler(logging.Handler):
    """A handler that can do without records.

    Its lock is a native one. Those that gevent patches are no good where functions in native
    threads log, too: if a thread and greenlets contend for such a lock, its release can be lost,
    and greenlets that log wait for ever. A native one holds up the loop, but only while a thread
    writes a record.
    """

    def createLock(self) -> None:
        """Make the lock of the handler."""
        super().createLock()  # which also has the lock made anew in a forked child
        self.lock = _Lock()

    @abstractmethod
    def line_taker(self) -> TakeLine | None:
        """Return what to call with each line for the same effect as a record; None for nothing.

        `ignore_line` if the handler would ignore the record.
        """


def ignore_line(line: Line) -> None:
    """Do nothing with a line."""


class LineLog:
    """Logs lines by `logger`. New handlers and filters have their effect within 0.1 s."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self._takers: list[TakeLine] = []
        self._level = 0
        self._until = 0.0  # when the handlers are looked at again

    def write(
        self, level: int, make: Callable[..., str], facts: tuple[Any, ...], trace_id: str | None
    ) -> None:
        """Log ``make(*facts)``, which is one printable line, in the context of `trace_id`.

        `make` may be called later, and must not raise. Ask `logger.isEnabledFor(level)` first.
        """
        now = time.time()
        if not 0 < self._until - now <= _KEPT or level != self._level:
            takers = _takers(self.logger, level)
            if takers is None:
                self._until = 0.0
                self.logger.log(level, make(*facts))
                return
            self._takers, self._level, self._until = takers, level, now + _KEPT
        line = (now, level, self.logger.name, trace_id, make, facts)
        for take in self._takers:
            take(line)

    def flush(self) -> None:
        """Make the handlers write the lines that they have buffered."""
        for handler in handlers_of(self.logger):
            if isinstance(handler, LineHandler):
                with suppress(OSError, ValueError):  # its file is broken or closed, as it has said
                    handler.flush()


def _takers(logger: logging.Logger, level: int) -> list[TakeLine] | None:
    """Return what takes the lines of `logger`; None if a record is needed."""
    if logger.filters or logging.getLogRecordFactory() is not logging.LogRecord:
        return None
    found: list[TakeLine] = []
    for handler in handlers_of(logger):
        if handler.level > level or type(handler) is logging.NullHandler:
            continue
        if not isinstance(handler, LineHandler) or handler.filters:
            return None
        taker = handler.line_taker()
        if taker is None:
            return None
        if taker is not ignore_line:
            found.append(taker)
    return found or None


def handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Yield the handlers that get the records of `logger`, also those of its parents."""
    current: logging.Logger | None = logger
    while current is not None:
        yield from current.handlers
        current = current.parent if current.propagate else None
