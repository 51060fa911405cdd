"""Metrics of the process: processor, memory, descriptors, threads, garbage collection, version.

Most are named for Prometheus as its own clients name them, so that dashboards for any program fit.
Linux tells all of them in /proc. Elsewhere, `process.memory` is the greatest that it ever was,
`process.threads` those that Python knows, `process.start_time` the time at which lymph was
imported, and there is no `process.virtual_memory`.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from lymph.core._hosting.process_facts import lymph_version, open_descriptors
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample

__all__ = ['ProcessMetrics']

describe(
    'process.cpu',
    'counter',
    'Processor time of this process.',
    unit='seconds',
    exported='process_cpu_seconds',
)
describe(
    'process.cpu_user',
    'counter',
    'Processor time in user mode.',
    unit='seconds',
    exported='process_cpu_user_seconds',
)
describe(
    'process.cpu_system',
    'counter',
    'Processor time in the kernel.',
    unit='seconds',
    exported='process_cpu_system_seconds',
)
describe(
    'process.memory',
    'gauge',
    'Resident memory.',
    unit='bytes',
    exported='process_resident_memory_bytes',
)
describe(
    'process.virtual_memory',
    'gauge',
    'Virtual memory.',
    unit='bytes',
    exported='process_virtual_memory_bytes',
)
describe('process.descriptors', 'gauge', 'Open descriptors.', exported='process_open_fds')
describe(
    'process.max_descriptors',
    'gauge',
    'Descriptors that may be open at once.',
    exported='process_max_fds',
)
describe('process.threads', 'gauge', 'Native threads.', exported='process_threads')
describe(
    'process.start_time',
    'gauge',
    'Unix time at which the process was started.',
    unit='seconds',
    exported='process_start_time_seconds',
)
describe(
    'process.greenlets',
    'gauge',
    'Greenlets of the components of this container, and those that run handlers or wait for one.',
)
describe(
    'process.gc_collections',
    'counter',
    'Runs of the garbage collector.',
    tags=('generation',),
    exported='python_gc_collections',
)
describe(
    'process.gc_collected',
    'counter',
    'Objects that the garbage collector has freed.',
    tags=('generation',),
    exported='python_gc_objects_collected',
)
describe(
    'process.gc_uncollectable',
    'counter',
    'Objects that the garbage collector could not free.',
    tags=('generation',),
    exported='python_gc_objects_uncollectable',
)
describe(
    'lymph.info',
    'gauge',
    'Always 1; its tags have the versions of lymph and Python.',
    tags=('version', 'python'),
    exported='lymph_info',
)

_IMPORTED: Final = time.time()
_STAT: Final = '/proc/self/stat'


class _Stat(NamedTuple):
    threads: int
    start_time: float
    virtual_memory: int
    memory: int


class ProcessMetrics:
    """Yields the metrics of this process; `greenlets()` counts those of the container.

    Nothing tells the number of all greenlets: to find them, all objects of the process would have
    to be looked at.
    """

    def __init__(self, greenlets: Callable[[], int]) -> None:
        self._greenlets = greenlets

    def __iter__(self) -> Iterator[Sample]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield 'process.cpu', used.ru_utime + used.ru_stime, {}
        yield 'process.cpu_user', used.ru_utime, {}
        yield 'process.cpu_system', used.ru_stime, {}
        yield from _memory_and_threads(used.ru_maxrss)
        descriptors = open_descriptors()
        if descriptors is not None:
            yield 'process.descriptors', descriptors, {}
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = float('inf') if limit == resource.RLIM_INFINITY else limit
        yield 'process.max_descriptors', most, {}
        yield 'process.greenlets', self._greenlets(), {}
        for generation, counts in enumerate(gc.get_stats()):
            tags = {'generation': str(generation)}
            yield 'process.gc_collections', counts['collections'], tags
            yield 'process.gc_collected', counts['collected'], tags
            yield 'process.gc_uncollectable', counts['uncollectable'], tags
        version = lymph_version() or 'unknown'
        yield 'lymph.info', 1, {'version': version, 'python': sys.version.split()[0]}


def _memory_and_threads(most_memory: int) -> Iterator[Sample]:
    stat = _read_stat()
    if stat is None:
        # macOS counts bytes, the BSDs as Linux KiB
        unit = 1 if sys.platform == 'darwin' else 1024
        stat = _Stat(threading.active_count(), _IMPORTED, 0, most_memory * unit)
    else:
        yield 'process.virtual_memory', stat.virtual_memory, {}
    yield 'process.memory', stat.memory, {}
    yield 'process.threads', stat.threads, {}
    yield 'process.start_time', stat.start_time, {}


def _read_stat() -> _Stat | None:
    """Return what Linux tells of this process (proc(5)), None on another system."""
    try:
        with open(_STAT, 'rb') as file:
            text = file.read()
        # the name of the program is in parentheses, and may have some itself
        fields = text[text.rindex(b')') + 2 :].split()
        ticks = int(fields[19]) / os.sysconf('SC_CLK_TCK')
        pages = int(fields[21])
        return _Stat(
            int(fields[17]),
            _booted() + ticks,
            int(fields[20]),
            pages * os.sysconf('SC_PAGE_SIZE'),
        )
    except (OSError, ValueError, IndexError):
        return None


def _booted() -> float:
    """Return the Unix time at which the machine was started, on Linux."""
    with open('/proc/stat', 'rb') as file:
        for line in file:
            if line.startswith(b'btime '):
                return float(line.split()[1])
    raise OSError('no btime in /proc/stat')
