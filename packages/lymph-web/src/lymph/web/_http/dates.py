"""The field Date of an answer, made once a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

__all__ = ['DateLine']


class DateLine:
    """Makes the line of the field; `clock` returns seconds since the epoch."""

    __slots__ = ('_clock', '_line', '_second')

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second = -1
        self._line = ''

    def line(self) -> str:
        """Return the line for this second, with its line end."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._line = f'Date: {formatdate(second, usegmt=True)}\r\n'
        return self._line
