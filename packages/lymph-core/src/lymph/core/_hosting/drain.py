"""Stopping gracefully: how long to go on answering after leaving the registry."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

__all__ = ['wait_until_quiet']

QUIET = 0.5  # seconds without a request, after which callers seem to know of the stop


def wait_until_quiet(last_request: Callable[[], float], timeout: float) -> bool:
    """Wait until no request has arrived for half a second, at most `timeout` seconds.

    Returns False if requests still arrived when `timeout` was over. `last_request()` returns the
    time (`time.monotonic`) of the latest request.
    """
    end = time.monotonic() + timeout
    since = time.monotonic()
    while True:
        now = time.monotonic()
        quiet_at = max(since, last_request()) + QUIET
        if now >= min(end, quiet_at):
            return now >= quiet_at
        gevent.sleep(min(end, quiet_at) - now)
