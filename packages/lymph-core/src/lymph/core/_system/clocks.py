"""Clocks that nobody sets.

The wall clock may be set at any time, by an operator or by NTP, so the difference of two of its
readings says nothing. Within a process `time.monotonic` measures what passes. What is here can be
compared between the processes of one machine, and tells when the machine was started anew.
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
    """Return the seconds since the machine was started, the time it was suspended included.

    Source: clock_gettime(2). Where the platform has no such clock, suspended time does not count.
    """
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return what changes whenever `boottime` begins anew.

    That is the kernel's id of this boot (random(4)) and the time namespace, which has an offset of
    its own (time_namespaces(7)). Where the platform tells neither, it is empty.
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

    After the wall clock was set back a file may have a time in the future; then it is not new.
    """
    return abs(time.time() - modified)


class SteadyClock:
    """Unix time as it was when this was made, and what has passed since.

    For times that others understand and that must not jump while this process lives.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - boottime()

    def now(self) -> float:
        """Return the time in seconds."""
        return self._ahead + boottime()
