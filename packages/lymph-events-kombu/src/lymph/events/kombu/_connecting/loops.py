"""Greenlets that go on: what nobody foresaw is logged, and after a pause they try again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

from lymph.core.failures import Killed, log_failure

__all__ = ['go_on']

_PAUSE = 1.0  # seconds


def go_on(logger: logging.Logger, purpose: str, step: Callable[[], object]) -> None:
    """Call `step` again and again until it returns true, or the greenlet is killed.

    A step that raises is logged as failing at its `purpose`, and called again after a pause.
    """
    while True:
        try:
            if step():
                return
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - nobody would begin the loop again
            log_failure(logger, error, '%s: failed, trying again in %g s', purpose, _PAUSE)
            gevent.sleep(_PAUSE)
