"""Clocks that cannot be set.

The wall clock may be set at any time, by an operator or by NTP, so the difference of two readings
is unreliable. `time.monotonic` is enough within a process. The clocks here can be compared between
the processes of one machine, and show when the machine was rebooted.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ['SteadyClock', 'boot_id', 'boottime', 'file_age']

_BOOT_ID = Path('/proc/sys/kernel/random/boot_id')
_NAMESPACE = '/proc/self/ns/time'
_CLOCK = getattr(time, 'CLOCK_BOOTTIME', time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Return the seconds since the machine was booted, including the time it was suspended.

    Source: clock_gettime(2). On platforms without CLOCK_BOOTTIME, suspended time is not included.
    """
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return an id of the period in which readings of `boottime` can be compared.

    It is the kernel's id of this boot (random(4)) and the time namespace, which has an offset of
    its own (time_namespaces(7)). Empty on platforms that have neither.
    """
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        return ''
    try:
        return f'{boot} {os.readlink(_NAMESPACE)}'
    except OSError:
        return boot


def file_age(modified: float) -> float:
    """Return the seconds between the time of a file (`st_mtime`) and now, never less than 0.

    If the wall clock was set back, a file may have a time in the future; it counts as old, too.
    """
    return abs(time.time() - modified)


class SteadyClock:
    """A clock that shows Unix time but does not jump when the wall clock is set.

    It takes the wall clock's time when it is made, and adds the time that has passed since.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - boottime()

    def now(self) -> float:
        """Return the Unix time in seconds."""
        return self._ahead + boottime()
