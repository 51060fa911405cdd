"""Log lines that need no record, for what logs once for each request.

`logging` makes a record, copies it for the formatter and writes a line at a time. For one line a
request that costs as much as the request. A `LineHandler` takes the facts of a line instead, and
may write many lines at once. `log_line` uses that wherever all handlers concerned can do so, and
logs a record like everybody else otherwise: levels, filters, propagation and handlers of a logging
configuration have their usual effect.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress

__all__ = ['LineHandler', 'flush_lines', 'log_line']


class LineHandler(logging.Handler):
    """A handler that can do without records."""

    @property
    @abstractmethod
    def takes_lines(self) -> bool:
        """Whether `take_line` has the same effect now as a record."""

    @abstractmethod
    def take_line(
        self, created: float, level: int, logger: str, trace_id: str | None, message: str
    ) -> None:
        """Handle a line; it may be written up to 0.1 s later. Never waits, never raises.

        `created` is a Unix time in seconds, `logger` a name, and `message` one printable line.
        """


def log_line(logger: logging.Logger, level: int, message: str, trace_id: str | None) -> None:
    """Log `message`, which is one printable line, in the context of `trace_id`."""
    if not logger.isEnabledFor(level):
        return
    takers = _takers(logger, level)
    if not takers:
        logger.log(level, message)
        return
    created = time.time()
    for handler in takers:
        handler.take_line(created, level, logger.name, trace_id, message)


def flush_lines(logger: logging.Logger) -> None:
    """Have the handlers of `logger` write what they have taken."""
    for handler in _handlers(logger):
        if isinstance(handler, LineHandler):
            with suppress(OSError, ValueError):  # its file is broken or closed, as it has said
                handler.flush()


def _takers(logger: logging.Logger, level: int) -> list[LineHandler] | None:
    """Return the handlers of `logger` if no record is needed, otherwise None or an empty list."""
    if logger.filters or logging.getLogRecordFactory() is not logging.LogRecord:
        return None
    takers: list[LineHandler] = []
    current: logging.Logger | None = logger
    while current is not None:  # as `logging` does it; `_handlers` would cost more
        for handler in current.handlers:
            if handler.level > level or type(handler) is logging.NullHandler:
                continue
            if not isinstance(handler, LineHandler) or handler.filters or not handler.takes_lines:
                return None
            takers.append(handler)
        current = current.parent if current.propagate else None
    return takers


def _handlers(logger: logging.Logger) -> Iterator[logging.Handler]:
    current: logging.Logger | None = logger
    while current is not None:
        yield from current.handlers
        current = current.parent if current.propagate else None
