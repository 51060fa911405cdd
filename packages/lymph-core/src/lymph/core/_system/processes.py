"""Watching other processes: their deaths are reported at once if the platform supports it.

Linux does, since 5.3 (pidfd_open(2)). A report is a reason to check a lock, not a proof of death:
the process id may have been reused when the watch began. Without reports, only the locks show that
a process is dead (`lymph.core._system.lock_files`).
"""

from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Callable

import gevent

from lymph.core._system.forks import abandon_in_children

__all__ = ['ProcessWatcher', 'pid_namespace']

logger = logging.getLogger(__name__)

_READ = 1  # libev's EV_READ
_SHARE = 4  # a quarter of the descriptors that this process may open


class ProcessWatcher:
    """Watches processes, with one descriptor for each; `on_death(pid)` is called in the hub.

    At most a quarter of the descriptors that this process may open (RLIMIT_NOFILE) are used.
    """

    def __init__(self, on_death: Callable[[int], object]) -> None:
        self._on_death = on_death
        self._watched: dict[int, _WatchedProcess] = {}
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _SHARE
        abandon_in_children(self)

    def __len__(self) -> int:
        return len(self._watched)

    def watches(self, pid: int | None) -> bool:
        """Tell whether the death of `pid` will be reported."""
        return pid in self._watched

    def watch(self, pid: int) -> bool:
        """Watch `pid` until `unwatch` was called as often as this; return False if impossible.

        It is impossible if the process is gone, if the platform cannot report deaths, and if too
        many descriptors are in use.
        """
        process = self._watched.get(pid)
        if process is None:
            descriptor = self._open(pid)
            if descriptor is None:
                return False
            process = self._watched[pid] = _WatchedProcess(descriptor, lambda: self._died(pid))
        process.watches += 1
        return True

    def unwatch(self, pid: int) -> None:
        """Undo one `watch`; processes that are not watched are ignored."""
        process = self._watched.get(pid)
        if process is not None:
            process.watches -= 1
            if process.watches == 0:
                self._watched.pop(pid).close()

    def close(self) -> None:
        """Stop watching all processes. Idempotent."""
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
            # ESRCH: the process is gone; the others: the kernel or a sandbox forbids pidfd_open.
            if error.errno not in (errno.ESRCH, errno.ENOSYS, errno.EPERM):
                logger.warning('cannot watch process %s: %s', pid, error)
            return None


def pid_namespace() -> str | None:
    """Return the namespace in which the process ids of this process are valid.

    Containers on one machine have their own (pid_namespaces(7)). None if the platform has none.
    """
    try:
        return os.readlink('/proc/self/ns/pid')
    except OSError:
        return None


class _WatchedProcess:
    """One watched process, and how often it is watched."""

    def __init__(self, descriptor: int, on_death: Callable[[], object]) -> None:
        self.watches = 0
        self._descriptor = descriptor
        self._watcher = gevent.get_hub().loop.io(descriptor, _READ)
        self._watcher.start(on_death)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._descriptor)
