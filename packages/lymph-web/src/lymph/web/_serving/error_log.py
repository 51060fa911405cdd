"""``wsgi.errors``: lines that an application writes go to the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lymph.config.printable import printable

__all__ = ['ErrorLog']

_LONGEST = 8192  # characters


class ErrorLog:
    """A text stream; each line that is written to it becomes one of `logger`."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def write(self, text: str) -> None:
        """Log the lines of `text`."""
        for line in text.splitlines():
            if line.strip():
                self._logger.error('%s', printable(line, _LONGEST))

    def writelines(self, lines: Iterable[str]) -> None:
        """Log all lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""
