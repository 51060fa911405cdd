"""Signals wake the loop.

Python runs the handler of a signal when it next executes something. A loop that is about to wait
for events may just have looked, and then waits until something else happens, perhaps for ever. So
each signal also writes a byte into a pipe that the loop watches.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import gevent

__all__ = ['wake_on_signals']

_READ = 1  # libev's EV_READ
_MANY = 4096  # bytes

_watchers: list[Any] = []  # kept for as long as the process lives


def wake_on_signals() -> None:
    """Have the loop turn once for each signal; in another thread than the main one do nothing."""
    if _watchers:
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    try:
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    except ValueError:  # it takes the main thread
        os.close(reading)
        os.close(writing)
        return
    watcher = gevent.get_hub().loop.io(reading, _READ, ref=False)
    watcher.start(_empty, reading)
    _watchers.append(watcher)


def _empty(reading: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(reading, _MANY)
