"""A log record as lines that nothing in it can forge, and that can always be written.

A record begins at the start of a line and is one line; its traceback follows, indented. Control and
format characters are escaped, everything is bounded, and a record that cannot be formatted is
written all the same, with what can be told of it.
"""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, Literal

from lymph.cli._logging.templates import LineTemplate, fits
from lymph.cli.output import json_text
from lymph.config.printable import printable
from lymph.core import trace
from lymph.core._monitoring.log_records import line_facts, message_of, record_facts
from lymph.core.failures import Killed, error_name, traceback_text

__all__ = ['JsonFormatter', 'LineFormatter', 'LineMaker', 'TraceFormatter', 'json_line']

#: makes a line of a time, a level, the name of a logger, a trace id and a message
LineMaker = Callable[[float, int, str, 'str | None', str], str]

#: Characters of a message or another field, and of a line of a traceback.
_LONGEST = 10_000
#: Characters and lines of a traceback, from its end.
_TRACEBACK = 100_000
_TRACEBACK_LINES = 500
_INDENT = '  '


class LineFormatter(logging.Formatter):
    """A formatter that can also make the same lines without records."""

    @abstractmethod
    def line_maker(self) -> LineMaker | None:
        """Return what makes lines; None if the format needs more than its arguments.

        It returns what `format` does for a record with these facts and no traceback.
        """


class TraceFormatter(LineFormatter):
    """Formats records as safe lines; the format may use `%(trace_id)s`.

    That is the trace id of the context a record was logged in, `-` outside of any.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal['%', '{', '$'] = '%',
        *args: Any,
        **keywords: Any,
    ) -> None:
        super().__init__(fmt, datefmt, style, *args, **keywords)
        plain = style == '%' and not keywords.get('defaults') and type(self) is TraceFormatter
        self._template = (
            LineTemplate(fmt, datefmt, self.converter)
            if plain and fmt is not None and fits(fmt, datefmt)
            else None
        )

    def line_maker(self) -> LineMaker | None:
        """Return what makes lines, if the format has no other fields than those of a line."""
        return None if self._template is None else self._template.line

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text. Never raises but for `Killed`."""
        fields = {
            name: printable(value, _LONGEST) if isinstance(value, str) else value
            for name, value in vars(record).items()
        }
        shown = logging.makeLogRecord(fields)
        shown.message = printable(message_of(record), _LONGEST)
        shown.trace_id = trace.get_id() or '-'
        return '\n'.join([self._head(record, shown), *self._details(record)])

    def _head(self, record: logging.LogRecord, shown: logging.LogRecord) -> str:
        try:
            if self.usesTime():
                shown.asctime = self.formatTime(record, self.datefmt)
            return self.formatMessage(shown)
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - such as a field that the record lacks
            return f'{shown.levelname} {shown.name} {shown.message} (format: {error_name(error)})'

    def _details(self, record: logging.LogRecord) -> Iterator[str]:
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            # Kept in the record for other handlers, as by the formatter of `logging`.
            record.exc_text = traceback_text(record.exc_info[1])
        for text in (record.exc_text, record.stack_info):
            if text:
                lines = text[-_TRACEBACK:].expandtabs().rstrip('\n').split('\n')
                if len(lines) > _TRACEBACK_LINES:
                    lines = ['...', *lines[-_TRACEBACK_LINES:]]
                for line in lines:
                    yield _INDENT + printable(line, _LONGEST)


class JsonFormatter(LineFormatter):
    """Formats each record as a JSON object on one line; see `lymph.core._monitoring.log_records`.

    ``time`` is text in UTC, such as 2026-01-31T23:59:59.123Z; ``levelno`` is left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON. Never raises but for `Killed`."""
        return json_line(record_facts(record))

    def line_maker(self) -> LineMaker | None:
        """Return what makes lines, except for subclasses."""
        return _json_line_of if type(self) is JsonFormatter else None


def _json_line_of(
    created: float, level: int, logger: str, trace_id: str | None, message: str
) -> str:
    name = logging.getLevelName(level)
    return json_line(line_facts(created, name, level, logger, trace_id, message))


def json_line(facts: dict[str, Any]) -> str:
    """Return the facts of a record as a JSON object on one line, of printable characters."""
    shown = {name: value for name, value in facts.items() if name != 'levelno'}
    moment = datetime.fromtimestamp(facts['time'], timezone.utc)
    shown['time'] = moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')
    return json_text(json.dumps(shown, ensure_ascii=False))
