"""What a process has used: processor time and memory."""

from __future__ import annotations

import ctypes
import os
import time

import psutil

__all__ = ['cpu_seconds', 'resident_bytes']


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process, those that have ended included.

    Source: clock_getcpuclockid(3). Unlike the counts in /proc it has nanoseconds, not hundredths of
    a second.
    """
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, f'no processor clock of process {pid}: {os.strerror(error)}')
    return time.clock_gettime(clock.value)


def resident_bytes(pid: int) -> int:
    """Return the resident set size of a process."""
    size: int = psutil.Process(pid).memory_info().rss
    return size
