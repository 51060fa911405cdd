"""Loops that survive unexpected errors: log the error, pause, try again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from lymph.core.failures import Killed, log_failure

__all__ = ['go_on']

_PAUSE = 1.0  # seconds


def go_on(logger: logging.Logger, purpose: str, step: Callable[[], object]) -> None:
    """Call `step` repeatedly until it returns a true value or the greenlet is killed.

    An error of a step is logged with `purpose`, and the next call follows after 1 s.
    """
    while True:
        try:
            if step():
                return
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - nothing would restart the loop
            log_failure(logger, error, '%s: failed, trying again in %g s', purpose, _PAUSE)
            gevent.sleep(_PAUSE)
