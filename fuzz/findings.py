"""What a run of a target may find, and the watch that each input is put under.

Processor time is measured, not the clock on the wall, so that a busy machine finds nothing.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lymph.config.printable import quoted

__all__ = ['Finding', 'Memory', 'allowance', 'watched']

_STANDSTILL = 0.1  # seconds of processor time for which a loop may stand still
_PER_BYTE = 0.2e-6  # seconds that reading a byte may cost on top
_GROWTH = 96 * 1024 * 1024  # bytes by which a process may have grown in the end: arenas, caches


class Finding(Exception):
    """Something broke its promise; the text says what, the runner adds how to see it again."""


def allowance(size: int) -> float:
    """Return the seconds of processor time that an input of `size` bytes may cost in one go."""
    return _STANDSTILL + size * _PER_BYTE


@contextmanager
def watched(data: bytes | str) -> Iterator[None]:
    """Raise Finding when the block computes for longer than its input is worth."""
    begun = time.thread_time()
    yield
    spent = time.thread_time() - begun
    if spent > allowance(len(data)):
        raise Finding(f'{spent:.2f} s of processor time for {len(data)} bytes: {quoted(data, 200)}')


class Memory:
    """How much memory this process holds, compared with when this was made."""

    def __init__(self) -> None:
        self._before = resident()

    def check(self) -> None:
        """Raise Finding when the process has not come back to what it held before."""
        grown = resident() - self._before
        if grown > _GROWTH:
            raise Finding(f'the process holds {grown / 1e6:.0f} MB more than before')


def resident() -> int:
    """Return the bytes of memory in use, after what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096
