"""The call log: one line for each call that is slow, drawn as a sample, or logged at DEBUG.

The logger is ``lymph.calls``. Both sides of a call write to it::

    echo.upper answered tcp://127.0.0.1:51744: ok after 0.512 s (version 1.2.0, trace 4bf9...)
    echo.upper called at tcp://127.0.0.1:4123: timeout after 1.001 s (version none, trace 4bf9...)

A line tells how a call ended, and nothing of what it carried.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Final

from lymph.core.monitoring.log_limits import LimitedLog

__all__ = ['CallLog', 'call_logger']

call_logger: Final = logging.getLogger('lymph.calls')


class CallLog:
    """Writes lines about calls.

    Calls that took at least `slow` seconds (0: none) are written as WARNING, a limited number for
    each method; of the others, the fraction `sample` is drawn and written as INFO, the rest as
    DEBUG. `chance` returns numbers in [0, 1).
    """

    def __init__(
        self,
        slow: float = 0.0,
        sample: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        #: calls that took less are written only if the logger has DEBUG turned on. For the callers
        #: of `write`: with this, a call that is not written costs two truth tests.
        self.least = 0.0 if sample else slow or float('inf')
        self._slow = slow or float('inf')
        self._sample = sample
        self._chance = chance
        self._limited = LimitedLog(call_logger)

    def answered(
        self,
        method: str,
        caller: str,
        version: str | None,
        trace_id: str | None,
        seconds: float,
        outcome: str,
    ) -> None:
        """Write the line of a service about a call that it has answered, or refused."""
        text = '%s answered %s: %s after %.4g s (version %s, trace %s)'
        self._write(text, method, caller, outcome, seconds, version, trace_id)

    def called(
        self,
        method: str,
        instance: str,
        version: str | None,
        trace_id: str | None,
        seconds: float,
        outcome: str,
    ) -> None:
        """Write the line of a caller about a call that has ended."""
        text = '%s called at %s: %s after %.4g s (version %s, trace %s)'
        self._write(text, method, instance, outcome, seconds, version, trace_id)

    def close(self) -> None:
        """Write how many lines about slow calls were left out."""
        self._limited.close()

    def _write(
        self,
        text: str,
        method: str,
        peer: str,
        outcome: str,
        seconds: float,
        version: str | None,
        trace_id: str | None,
    ) -> None:
        facts = (method, peer, outcome, seconds, version or 'none', trace_id or 'none')
        if seconds >= self._slow:
            self._limited.write(logging.WARNING, f'slow calls of {method}', text, *facts)
        elif self._sample and self._chance() < self._sample:
            call_logger.info(text, *facts)
        else:
            call_logger.debug(text, *facts)
