"""Leaving gracefully: how long to go on answering after the registry was left."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

__all__ = ['wait_until_quiet']

QUIET = 0.5  # seconds without a request after which callers are taken to have noticed


def wait_until_quiet(last_request: Callable[[], float], timeout: float) -> bool:
    """Return when nothing has arrived for half a second, or after `timeout` seconds.

    Tells whether it is quiet. `last_request` returns the time (`time.monotonic`) of the latest
    request.
    """
    end = time.monotonic() + timeout
    since = time.monotonic()
    while True:
        now = time.monotonic()
        quiet_at = max(since, last_request()) + QUIET
        if now >= min(end, quiet_at):
            return now >= quiet_at
        gevent.sleep(min(end, quiet_at) - now)
