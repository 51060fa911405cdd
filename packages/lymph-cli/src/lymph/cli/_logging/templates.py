"""Lines of one format that differ in the fraction of their second, trace id and message only.

All else of a line is made once in a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from lymph.config.printable import printable

__all__ = ['LineTemplate', 'fits']

_LONGEST: Final = 10_000  # characters of a message or another field
_FIELDS: Final = ('asctime', 'levelname', 'name', 'trace_id', 'message')
_WITHOUT_WIDTH: Final = ('asctime', 'trace_id', 'message')
#: what stands for a fraction, a trace id and a message until their places are known
_MARKS: Final = {'\0f': '%(fraction)03d', '\0t': '%(trace_id)s', '\0m': '%(message)s'}


class LineTemplate:
    """Makes lines as a `logging.Formatter` with the format `fmt`, which `fits`, makes of records.

    `converter` returns the broken-down time of a Unix time.
    """

    def __init__(
        self, fmt: str, datefmt: str | None, converter: Callable[[float], time.struct_time]
    ) -> None:
        self._fmt = fmt
        # as `logging.Formatter.formatTime` does
        self._datefmt = datefmt or logging.Formatter.default_time_format
        self._fraction = '' if datefmt else ',\0f'
        self._converter = converter
        self._second = 0
        self._level = 0
        self._logger = ''
        self._template = ''

    def line(
        self, created: float, level: int, logger: str, trace_id: str | None, message: str
    ) -> str:
        """Return the line for a record with these facts; `message` is printable."""
        second = int(created)
        if second != self._second or level != self._level or logger != self._logger:
            self._second, self._level, self._logger = second, level, logger
            self._template = self._made()
        if len(message) > _LONGEST:
            message = printable(message, _LONGEST)
        return self._template % {
            'fraction': (created - second) * 1000,
            'trace_id': trace_id or '-',
            'message': message,
        }

    def _made(self) -> str:
        moment = time.strftime(self._datefmt, self._converter(self._second))
        template = self._fmt % {
            'asctime': f'{moment}{self._fraction}',
            'levelname': logging.getLevelName(self._level),
            'name': printable(self._logger, _LONGEST),
            'trace_id': '\0t',
            'message': '\0m',
        }
        template = template.replace('%', '%%')
        for mark, place in _MARKS.items():
            template = template.replace(mark, place)
        return template


def fits(fmt: str, datefmt: str | None) -> bool:
    """Return whether `LineTemplate` can make lines of a format."""
    if '\0' in fmt or '\0' in (datefmt or ''):
        return False
    if any(fmt.count(f'({name})') != fmt.count(f'%({name})s') for name in _WITHOUT_WIDTH):
        return False
    try:
        time.strftime(datefmt or '')
        return isinstance(fmt % dict.fromkeys(_FIELDS, ''), str)
    except (KeyError, TypeError, ValueError):  # another field, or a format that is wrong
        return False
