"""Taking turns: one process writes, the others sleep until the kernel wakes them.

SQLite's own wait is a poll that backs off, which starves whoever waits behind a busy writer. An
flock on a file of its own queues the writers instead. It belongs to an open file, so it also parts
the threads of one process, and the kernel gives it back when a process dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lymph.core._system.forks import abandon_in_children

__all__ = ['Turns']


class Turns:
    """The turns at one database; used in a thread that may block. Raises OSError when made."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        abandon_in_children(self)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the turn inside the block; waits for it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Take no more turns; again is ignored."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    abandon = close  # a child that kept it open would keep the turn of a parent that is killed
