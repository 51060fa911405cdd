"""One watched service: its directory is looked at, its `Service` is kept true.

A look lists the directory, reads the files that are new and asks the locks of those whose owner is
in doubt. What is known and not in doubt is not opened again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from pathlib import Path
from typing import TypeVar

from gevent.lock import RLock

from lymph.core._system.blocking import in_thread
from lymph.core._system.processes import Processes
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service
from lymph.discovery._embedded.entries import (
    Entry,
    Foreign,
    Loaded,
    alive,
    changed,
    list_names,
    load,
)

__all__ = ['Doubt', 'ServiceView', 'everybody']

T = TypeVar('T')
Names = TypeVar('Names', bound=Sized)
Doubt = Callable[[Entry], bool]

_INLINE = 32  # files that are opened without leaving the hub, about 10 us each
_LISTINGS = 3  # for a directory that changes while it is read; after that a ring is on its way


def everybody(entry: Entry) -> bool:
    """Doubt every owner."""
    return True


class ServiceView:
    """Keeps `service` true to `directory`; `owners` tells of deaths, `log` of what is ignored."""

    def __init__(self, service: Service, directory: Path, owners: Processes, log: OnceLog) -> None:
        self._service = service
        self._directory = directory
        self._owners = owners
        self._log = log
        self._lock = RLock()
        self._files: dict[str, Entry | Foreign] = {}
        self._held: dict[str, int] = {}  # file name -> the process that is watched for it
        self._changed = False
        self._closed = False

    def __str__(self) -> str:
        return str(self._directory)

    def look(self, doubt: Doubt) -> None:
        """Bring the service up to date, with a look at the locks that `doubt` chooses.

        Owners whose death would not be told are always in doubt. Raises OSError when the directory
        cannot be read.
        """
        with self._lock:
            if not self._closed:
                fresh = self._read_new()
                self._drop(self._dead(fresh, doubt))
                self._tell()

    def close(self) -> None:
        """Look no more and leave the service as it is."""
        self._closed = True
        for pid in self._held.values():
            self._owners.release(pid)
        self._held.clear()

    def _read_new(self) -> set[str]:
        """List the directory; returns the names whose owners have just come under watch."""
        watched: set[str] = set()
        for _ in range(_LISTINGS):
            names = list_names(self._directory)
            if self._files.keys() - names:
                # A listing that crosses a replacement may miss both names; the next one does not.
                names = list_names(self._directory)
            gone = self._files.keys() - names
            self._drop(gone)
            for name in gone:
                self._log.forget(str(self._directory / name))
            self._drop(self._repaired())
            new = names - self._files.keys()
            loaded = _in_thread_if_many(new, self._load)
            watched |= self._add(loaded.entries)
            if not loaded.vanished:
                break
        return watched

    def _repaired(self) -> set[str]:
        """Return the names of foreign files that have changed and are to be read again."""
        foreign = {name: f for name, f in self._files.items() if isinstance(f, Foreign)}
        return _in_thread_if_many(foreign, lambda files: changed(self._directory, files))

    def _load(self, names: Iterable[str]) -> Loaded:
        return load(self._directory, names, self._service.connector)

    def _add(self, entries: dict[str, Entry | Foreign]) -> set[str]:
        if self._closed:  # while a thread was reading
            return set()
        self._files |= entries
        known = {pid for pid in self._held.values() if self._owners.watches(pid)}
        fresh = set()
        for name, entry in entries.items():
            if isinstance(entry, Foreign):
                self._log.warn(str(self._directory / name), f'ignored: {entry.reason}')
                continue
            self._log.forget(str(self._directory / name))
            self._changed = True
            if entry.pid is not None:
                if self._owners.hold(entry.pid):
                    self._held[name] = entry.pid
                if entry.pid not in known:
                    fresh.add(name)
        return fresh

    def _dead(self, fresh: set[str], doubt: Doubt) -> set[str]:
        # An owner may have died after its file was read and before it came under watch.
        doubted = {
            name
            for name, entry in self._files.items()
            if isinstance(entry, Entry)
            and (name in fresh or not self._owners.watches(entry.pid) or doubt(entry))
        }
        return doubted - _in_thread_if_many(doubted, self._living)

    def _living(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if alive(self._directory / name)}

    def _drop(self, names: Iterable[str]) -> None:
        for name in tuple(names):
            if isinstance(self._files.pop(name, None), Entry):
                self._changed = True
            pid = self._held.pop(name, None)
            if pid is not None:
                self._owners.release(pid)

    def _tell(self) -> None:
        if not self._changed or self._closed:
            return
        self._changed = False
        entries = [entry for entry in self._files.values() if isinstance(entry, Entry)]
        # of several with one key the last in the order decides
        entries.sort(key=lambda entry: entry.made)
        self._service.update([entry.instance for entry in entries])


def _in_thread_if_many(names: Names, func: Callable[[Names], T]) -> T:
    return func(names) if len(names) <= _INLINE else in_thread(func, names)
