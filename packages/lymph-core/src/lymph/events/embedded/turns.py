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

__all__ = ['Turns']


class Turns:
    """The turns at one database; used in a thread that may block. Raises OSError when made."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the turn inside the block; waits for it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Take no more turns."""
        os.close(self._descriptor)
