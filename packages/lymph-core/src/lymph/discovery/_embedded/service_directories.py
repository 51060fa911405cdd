"""One watched service: reads its directory and updates its `Service`.

A look lists the directory, reads the files that are new and checks the locks of those whose owner
is in doubt. Files that are known and not in doubt are not opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from pathlib import Path
from typing import TypeVar

from gevent.lock import RLock

from lymph.core._system.blocking import in_thread
from lymph.core._system.processes import ProcessWatcher
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service
from lymph.discovery._embedded.entries import (
    ForeignFile,
    InstanceEntry,
    Loaded,
    changed,
    is_alive,
    list_names,
    load,
)

__all__ = ['Doubt', 'ServiceDirectory', 'doubt_all']

T = TypeVar('T')
Names = TypeVar('Names', bound=Sized)
Doubt = Callable[[InstanceEntry], bool]

_INLINE = 32  # files that are opened without leaving the hub, about 10 us each
_LISTINGS = 3  # of a directory that changes while it is read; after that a wake-up is on its way


def doubt_all(entry: InstanceEntry) -> bool:
    """Doubt that any owner is alive."""
    return True


class ServiceDirectory:
    """Keeps `service` up to date with the files in `directory`.

    `owners` reports the deaths of their owners; `log` gets one warning for each file that is
    ignored.
    """

    def __init__(
        self, service: Service, directory: Path, owners: ProcessWatcher, log: OnceLog
    ) -> None:
        self._service = service
        self._directory = directory
        self._owners = owners
        self._log = log
        self._lock = RLock()
        self._files: dict[str, InstanceEntry | ForeignFile] = {}
        self._watched: dict[str, int] = {}  # file name -> the process that is watched for it
        self._changed = False
        self._closed = False

    def __str__(self) -> str:
        return str(self._directory)

    def look(self, doubt: Doubt) -> None:
        """Bring the service up to date; check the locks of the owners that `doubt` chooses.

        Owners whose death would not be reported are always in doubt. Raises OSError when the
        directory cannot be read.
        """
        with self._lock:
            if not self._closed:
                fresh = self._read_new()
                self._drop(self._dead(fresh, doubt))
                self._update_service()

    def close(self) -> None:
        """Watch no owners and change the service no more."""
        self._closed = True
        for pid in self._watched.values():
            self._owners.unwatch(pid)
        self._watched.clear()

    def _read_new(self) -> set[str]:
        """Read what is new; return the names of the files whose owners were not watched before."""
        fresh: set[str] = set()
        for _ in range(_LISTINGS):
            names = list_names(self._directory)
            if self._files.keys() - names:
                # A listing that crosses a replacement may miss both names; the next one does not.
                names = list_names(self._directory)
            gone = self._files.keys() - names
            self._drop(gone)
            for name in gone:
                self._log.forget(str(self._directory / name))
            self._drop(self._changed_foreign())
            loaded = _in_thread_if_many(names - self._files.keys(), self._load)
            fresh |= self._add(loaded.entries)
            if not loaded.vanished:
                break
        return fresh

    def _changed_foreign(self) -> set[str]:
        """Return the names of foreign files that have changed and are to be read again."""
        foreign = {name: f for name, f in self._files.items() if isinstance(f, ForeignFile)}
        return _in_thread_if_many(foreign, lambda files: changed(self._directory, files))

    def _load(self, names: Iterable[str]) -> Loaded:
        return load(self._directory, names, self._service.connector)

    def _add(self, entries: dict[str, InstanceEntry | ForeignFile]) -> set[str]:
        if self._closed:  # while a thread was reading
            return set()
        self._files |= entries
        known = {pid for pid in self._watched.values() if self._owners.watches(pid)}
        fresh = set()
        for name, entry in entries.items():
            if isinstance(entry, ForeignFile):
                self._log.warn(str(self._directory / name), f'ignored: {entry.reason}')
                continue
            self._log.forget(str(self._directory / name))
            self._changed = True
            if entry.pid is not None:
                if self._owners.watch(entry.pid):
                    self._watched[name] = entry.pid
                if entry.pid not in known:
                    fresh.add(name)
        return fresh

    def _dead(self, fresh: set[str], doubt: Doubt) -> set[str]:
        """Return the names of the files whose owners are in doubt and dead."""
        # A fresh owner may have died after its file was read and before it was watched.
        doubted = {
            name
            for name, entry in self._files.items()
            if isinstance(entry, InstanceEntry)
            and (name in fresh or not self._owners.watches(entry.pid) or doubt(entry))
        }
        return doubted - _in_thread_if_many(doubted, self._alive)

    def _alive(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if is_alive(self._directory / name)}

    def _drop(self, names: Iterable[str]) -> None:
        for name in tuple(names):
            if isinstance(self._files.pop(name, None), InstanceEntry):
                self._changed = True
            pid = self._watched.pop(name, None)
            if pid is not None:
                self._owners.unwatch(pid)

    def _update_service(self) -> None:
        if not self._changed or self._closed:
            return
        self._changed = False
        entries = [entry for entry in self._files.values() if isinstance(entry, InstanceEntry)]
        entries.sort(key=lambda entry: entry.made)  # of several with one key the last one counts
        self._service.update([entry.instance for entry in entries])


def _in_thread_if_many(names: Names, func: Callable[[Names], T]) -> T:
    return func(names) if len(names) <= _INLINE else in_thread(func, names)
