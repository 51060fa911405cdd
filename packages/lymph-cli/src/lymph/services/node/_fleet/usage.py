"""What the processes of a node use of the machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from typing import NamedTuple

import psutil

__all__ = ['Usage', 'usage_of']


class Usage(NamedTuple):
    """Processor time in seconds and resident memory in bytes."""

    cpu_time: float
    memory: int


def usage_of(groups: Collection[int]) -> dict[int, Usage]:
    """Return what the processes of each group use together; those that have ended are left out.

    Reads about each process of the machine, so it belongs into a thread.
    """
    found: dict[int, Usage] = {}
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            group = os.getpgid(pid)
            if group not in groups:
                continue
            process = psutil.Process(pid)
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
            before = found.get(group, Usage(0.0, 0))
            found[group] = Usage(
                before.cpu_time + times.user + times.system, before.memory + memory.rss
            )
    return found
