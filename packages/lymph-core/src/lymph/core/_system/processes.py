"""Other processes: their death is told at once, where the platform can tell it.

Linux can (pidfd_open, since 5.3). It is a reason to look at the locks, never the truth: a number
may by now be another process's, and elsewhere there is no telling at all.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Callable

import gevent

from lymph.core._system.forks import abandon_in_children

__all__ = ['Processes', 'pid_namespace']

logger = logging.getLogger(__name__)

_READ = 1  # libev's EV_READ
_SHARE = 4  # one in so many of the descriptors that this process may open


class Processes:
    """Watches one descriptor for each process; `on_death(pid)` is called in the hub."""

    def __init__(self, on_death: Callable[[int], object]) -> None:
        self._on_death = on_death
        self._watched: dict[int, _Process] = {}
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _SHARE
        abandon_in_children(self)

    def __len__(self) -> int:
        return len(self._watched)

    def watches(self, pid: int | None) -> bool:
        """Tell whether the death of `pid` will be told."""
        return pid in self._watched

    def hold(self, pid: int) -> bool:
        """Watch `pid` until `release` is called as often; False when that is not possible."""
        process = self._watched.get(pid)
        if process is None:
            descriptor = self._open(pid)
            if descriptor is None:
                return False
            process = self._watched[pid] = _Process(descriptor, lambda: self._died(pid))
        process.holders += 1
        return True

    def release(self, pid: int) -> None:
        """Undo one `hold`; for a process that is not watched, or no more, nothing happens."""
        process = self._watched.get(pid)
        if process is not None:
            process.holders -= 1
            if process.holders == 0:
                self._watched.pop(pid).close()

    def close(self) -> None:
        """Watch nobody any more."""
        while self._watched:
            self._watched.popitem()[1].close()

    abandon = close

    def _died(self, pid: int) -> None:
        self._watched.pop(pid).close()
        self._on_death(pid)

    def _open(self, pid: int) -> int | None:
        if not hasattr(os, 'pidfd_open') or len(self._watched) >= self._limit:
            return None
        try:
            return os.pidfd_open(pid)
        except OSError as error:
            # gone already; a kernel or a sandbox without it
            if error.errno not in (errno.ESRCH, errno.ENOSYS, errno.EPERM):
                logger.warning('cannot watch process %s: %s', pid, error)
            return None


def pid_namespace() -> str | None:
    """Return what tells the numbers of this container's processes from those of another's."""
    try:
        return os.readlink('/proc/self/ns/pid')
    except OSError:
        return None


class _Process:
    """One watched process."""

    def __init__(self, descriptor: int, on_death: Callable[[], object]) -> None:
        self.holders = 0
        self._descriptor = descriptor
        self._watcher = gevent.get_hub().loop.io(descriptor, _READ)
        self._watcher.start(on_death)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._descriptor)
