"""Warnings about lasting conditions: one for each thing and reason, not one for each check."""

from __future__ import annotations

import logging

from lymph.config.printable import printable
from lymph.core.monitoring.log_limits import LimitedLog

__all__ = ['OnceLog']

_REMEMBERED = 4096  # things; beyond that a warning may be repeated
_LENGTH = 500  # characters; a path may have names of 255 bytes, escaped to three times the length


class OnceLog:
    """Writes a warning to `logger` unless it is the same as the last one about the same thing.

    All warnings share the limit of one `cause` (see `LimitedLog`): if something is wrong with
    thousands of things, a few lines and a count are written. Its owner should `close` it.
    """

    def __init__(self, logger: logging.Logger, cause: str) -> None:
        self._log = LimitedLog(logger)
        self._cause = cause
        self._told: dict[str, str] = {}

    def warn(self, thing: str, text: str) -> None:
        """Write ``thing: text`` as one printable line, unless `text` is as before for `thing`."""
        if self._told.get(thing) == text:
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[thing] = text
        line = (printable(thing, _LENGTH), printable(text, _LENGTH))
        self._log.write(logging.WARNING, self._cause, '%s: %s', *line)

    def forget(self, thing: str) -> None:
        """Forget the last warning about `thing`: the problem is solved, or the thing is gone."""
        self._told.pop(thing, None)

    def close(self) -> None:
        """Write how many warnings were left out."""
        self._log.close()
