"""Levels of loggers, changed while the process runs, for good or for a while."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import gevent

from lymph.core.greenlets import Greenlet

__all__ = ['LEVELS', 'LogLevels']

LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


class LogLevels:
    """Changes levels; `spawn` runs the greenlets that change them back."""

    def __init__(self, spawn: Callable[..., Greenlet]) -> None:
        self._spawn = spawn
        #: loggers whose level will be changed back: to which one, and by whom
        self._lent: dict[str, tuple[int, Greenlet]] = {}

    def change(self, name: str, level: str, period: float | None = None) -> None:
        """Set the level of a logger; after `period` seconds it gets back the one it had.

        The name '' is the root logger. Another change within the period ends it; if that has a
        period too, the level before the first of them comes back. Raises ValueError for a name that
        is no text, a level that is none, and a period that is no time to wait.
        """
        if not isinstance(name, str):
            raise ValueError(f'expected the name of a logger, found {name!r}')
        if not isinstance(level, str) or level.upper() not in LEVELS:
            raise ValueError(f'expected a level of {", ".join(LEVELS)}, found {level!r}')
        if period is not None and not _is_time(period):
            raise ValueError(f'expected a period of more than 0 seconds, found {period!r}')
        logger = logging.getLogger(name)
        before, restoring = self._lent.pop(name, (logger.level, None))
        if restoring is not None:
            restoring.kill(block=False)
        logger.setLevel(level.upper())
        if period is not None:
            self._lent[name] = before, self._spawn(self._restore, name, period)

    def _restore(self, name: str, period: float) -> None:
        gevent.sleep(period)
        before, restoring = self._lent.get(name, (logging.NOTSET, None))
        if restoring is gevent.getcurrent():
            del self._lent[name]
            logging.getLogger(name).setLevel(before)


def _is_time(period: Any) -> bool:
    return (
        isinstance(period, (int, float)) and not isinstance(period, bool) and 0 < period < math.inf
    )
