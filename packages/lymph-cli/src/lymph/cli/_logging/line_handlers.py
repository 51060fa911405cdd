"""Log handlers that write records at once, and plain lines in batches.

A batch leaves 0.1 s after its first line, with `_MOST` lines, before the next record, when the
handler is flushed, and at exit.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections import deque
from typing import TYPE_CHECKING, Any

import gevent

from lymph.cli._logging.log_lines import LineFormatter, LineMaker
from lymph.core._system.threads import get_ident
from lymph.core.monitoring.plain_lines import Line, LineHandler, TakeLine

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[Any]
else:
    _StreamHandler = logging.StreamHandler  # Python 3.10 has no brackets for it

__all__ = ['ConsoleHandler', 'LogfileHandler', 'count_of']

_LATEST = 0.1  # seconds
_MOST = 256  # lines


def count_of(record: logging.LogRecord) -> int:
    """Return how many lines a record stands for that a handler could not write."""
    return record.count if isinstance(record, _Batch) else 1


class _Batch(logging.LogRecord):
    """Formatted lines that are written like a record; `count` is their number."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(__name__, logging.INFO, __file__, 0, '', None, None)
        self.text = '\n'.join(lines)
        self.count = len(lines)


class _Batching(LineHandler):
    """Comes before a handler of `logging` that writes the text of each record and a newline.

    Create it in the thread that logs plain lines; those of other threads are written at once.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._lines: deque[Line] = deque()  # never replaced: any thread may append
        self._timer: Any = None
        self._make_line: LineMaker | None = None
        self._thread = get_ident()
        super().__init__(*args, **keywords)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """Set the formatter; lines that wait are written with the old one first."""
        if self._lines:
            self._write_now()
        super().setFormatter(fmt)
        self._make_line = fmt.line_maker() if isinstance(fmt, LineFormatter) else None

    def line_taker(self) -> TakeLine | None:
        """Return what takes lines along in a batch, if the formatter can make lines."""
        return None if self._make_line is None else self._take_line

    def _take_line(self, line: Line) -> None:
        lines = self._lines
        lines.append(line)
        if len(lines) >= _MOST or self._thread != get_ident():
            self._write_now()
        elif self._timer is None:
            self._start_timer()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines that came before, then the record."""
        self._write_lines()
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return record.text if isinstance(record, _Batch) else super().format(record)

    def flush(self) -> None:
        """Write the lines of the batch, and flush the stream."""
        self._write_now()
        super().flush()

    def close(self) -> None:
        """Write the lines of the batch, and close the handler."""
        self.flush()
        self._stop_timer()
        super().close()

    def _write_now(self) -> None:
        self.acquire()
        try:
            self._write_lines()
        finally:
            self.release()

    def _write_lines(self) -> None:
        lines, make_line = self._lines, self._make_line
        if not lines:
            return
        # in one go, which takes half the time of line by line
        texts = []
        for _ in range(len(lines)):
            created, level, logger, trace_id, make, facts = lines.popleft()
            message = make(*facts)
            if make_line is None:  # the formatter was replaced a moment ago
                message = f'{logging.getLevelName(level)} {logger} {message}'
            else:
                message = make_line(created, level, logger, trace_id, message)
            texts.append(message)
        super().emit(_Batch(texts))

    def _on_time(self) -> None:
        assert self.lock is not None
        self._stop_timer()
        if not self.lock.acquire(blocking=False):
            self._start_timer()  # the loop cannot wait for a thread that is logging
            return
        try:
            self._write_lines()
        finally:
            self.lock.release()

    def _start_timer(self) -> None:
        # it must not keep a loop alive that has nothing else to do
        self._timer = gevent.get_hub().loop.timer(_LATEST, ref=False)
        self._timer.start(self._on_time)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
            timer.close()


class ConsoleHandler(_Batching, _StreamHandler):
    """Writes to a stream."""


class LogfileHandler(_Batching, logging.handlers.WatchedFileHandler):
    """Writes to a file, which it opens again when a log rotation has moved it away."""
