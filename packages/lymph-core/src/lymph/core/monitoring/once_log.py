"""Warnings about things that stay as they are: one for each thing and each reason."""

from __future__ import annotations

import logging

from lymph.config.printable import printable
from lymph.core.monitoring.log_limits import LimitedLog

__all__ = ['OnceLog']

_REMEMBERED = 4096  # things; beyond that a warning may come a second time
_LENGTH = 500  # characters; names in paths may be escaped and thrice as long


class OnceLog:
    """Warns through `logger`, and not again while there is nothing new to say.

    What is wrong with thousands of things makes a few lines and a count, see `LimitedLog`; `cause`
    names it there. Its owner closes it.
    """

    def __init__(self, logger: logging.Logger, cause: str) -> None:
        self._log = LimitedLog(logger)
        self._cause = cause
        self._told: dict[str, str] = {}

    def warn(self, thing: str, text: str) -> None:
        """Write ``thing: text`` as one printable line, unless that was the last about `thing`."""
        if self._told.get(thing) == text:
            return
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[thing] = text
        line = (printable(thing, _LENGTH), printable(text, _LENGTH))
        self._log.write(logging.WARNING, self._cause, '%s: %s', *line)

    def forget(self, thing: str) -> None:
        """Warn again should something be wrong with `thing` later: it has gone, or is right now."""
        self._told.pop(thing, None)

    def close(self) -> None:
        """Write the counts that are still due."""
        self._log.close()
