"""Something that is read again and again in the background, whose last value is kept.

A registry or an event system may be somebody else's: whatever it raises is a problem to be shown.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import gevent

from lymph.core.failures import error_line, error_text, log_failure
from lymph.core.greenlets import Greenlet, Pool
from lymph.core.monitoring.log_limits import Reminder
from lymph.exceptions import LymphError

__all__ = ['Background']

logger = logging.getLogger(__name__)

T = TypeVar('T')


class Background(Generic[T]):
    """Reads a value in a greenlet of its own, one at a time; an error keeps the last value."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._pool = Pool()
        self._reading: Greenlet | None = None
        self._late = False
        self._reminder = Reminder()
        #: the last value; None until one was read
        self.value: T | None = None
        #: why the last reading has failed; empty if it has not
        self.problem = ''

    def refresh(self, patience: float) -> T | None:
        """Read the value, and return the last one after at most `patience` seconds.

        Nobody waits for a reading that an earlier call has begun.
        """
        self._late = self._reading is not None and not self._reading.ready()
        if not self._late:
            self._reading = self._pool.spawn(self._run)
        return self.wait(patience)

    def wait(self, patience: float) -> T | None:
        """Wait at most `patience` seconds for the last refresh, and return the last value."""
        if self._reading is not None and not self._late:
            gevent.joinall([self._reading], patience)
        return self.value

    def close(self) -> None:
        """End the reading."""
        self._pool.kill()

    def _run(self) -> None:
        try:
            self.value = self._read()
            self.problem = ''
        except LymphError as error:
            self.problem = error_text(error)
        except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
            self.problem = error_line(error)
            if self._reminder.due(time.monotonic()):
                log_failure(logger, error, 'cannot read the state of a backend')
