"""Changing the levels of loggers for a limited time, as `lymph.change_loglevel` does."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from lymph.config.printable import quoted
from lymph.core.greenlets import Greenlet

__all__ = ['LEVELS', 'LONGEST_PERIOD', 'LogLevels']

LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
LONGEST_PERIOD = 3600  # seconds; the longest and the default period of a change


class LogLevels:
    """Changes levels of existing loggers; `spawn` runs the greenlets that change them back."""

    def __init__(self, spawn: Callable[..., Greenlet]) -> None:
        self._spawn = spawn
        #: logger -> the level to restore, and the greenlet that will restore it
        self._lent: dict[logging.Logger, tuple[int, Greenlet]] = {}

    def change(self, name: str, level: str, period: float | None = None) -> None:
        """Set the level of an existing logger; restore the old level after `period` seconds.

        The names `root` and '' mean the root logger. The period is by default, and at most, an
        hour. A change within the period of another one replaces it; at its end the level from
        before the first change is restored.

        Raises ValueError for a logger that does not exist, an unknown level, or an invalid period.
        """
        logger = _existing(name)
        if not isinstance(level, str) or level.upper() not in LEVELS:
            raise ValueError(f'expected a level of {", ".join(LEVELS)}, found {quoted(level)}')
        seconds = _seconds(period)
        before, restoring = self._lent.pop(logger, (logger.level, None))
        if restoring is not None:
            restoring.kill(block=False)
        logger.setLevel(level.upper())
        self._lent[logger] = before, self._spawn(self._restore, logger, seconds)

    def _restore(self, logger: logging.Logger, seconds: float) -> None:
        try:
            gevent.sleep(seconds)
        finally:  # also when the container stops, since the process may go on without it
            before, restoring = self._lent.get(logger, (logging.NOTSET, None))
            if restoring is gevent.getcurrent():
                del self._lent[logger]
                logger.setLevel(before)


def _existing(name: object) -> logging.Logger:
    if not isinstance(name, str):
        raise ValueError(f'expected the name of a logger, found {quoted(name)}')
    # `loggerDict` also has placeholders for parents of loggers; these are accepted too.
    if name in ('', 'root') or name in logging.root.manager.loggerDict:
        return logging.getLogger(name)
    raise ValueError(f'no logger {quoted(name)}; loggers exist once their module is imported')


def _seconds(period: object) -> float:
    if period is None:
        return LONGEST_PERIOD
    if (
        isinstance(period, (int, float))
        and not isinstance(period, bool)
        and 0 < period <= LONGEST_PERIOD
    ):
        return period
    raise ValueError(
        f'expected a period of more than 0 and at most {LONGEST_PERIOD} seconds, '
        f'found {quoted(period)}'
    )
