"""All watched services of a process: looks again after wake-ups, deaths and suspicions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from lymph.core._system.processes import ProcessWatcher
from lymph.core._system.state import make_private
from lymph.core._system.suspects import Suspects
from lymph.core._system.wakeups import WakeupSocket
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service
from lymph.discovery._embedded.service_directories import ServiceDirectory, doubt_all

__all__ = ['DirectoryWatcher']


class DirectoryWatcher:
    """Keeps services up to date with their directories, in one greenlet.

    `sockets` is the directory for the wake-up socket that this process has while it watches
    anything; `spawn` starts the greenlet; `log` gets one warning for each directory that cannot be
    read.
    """

    def __init__(
        self, sockets: Path, spawn: Callable[[Callable[[], None]], Any], log: OnceLog
    ) -> None:
        self._sockets = sockets
        self._spawn = spawn
        self._log = log
        self._directories: dict[Service, ServiceDirectory] = {}
        self._suspects: Suspects[int | str] = Suspects()  # process ids, and keys of instances
        self._owners = ProcessWatcher(self._suspect)
        self._socket: WakeupSocket | None = None
        self._missed = False  # wake-ups may have been missed: the socket could not be made again
        self._greenlet: gevent.Greenlet[..., Any] | None = None
        self._wake = Event()

    def add(self, service: Service, directory: Path) -> None:
        """Fill `service` from `directory` and keep it up to date; raises OSError."""
        self._listen()
        self._directories[service] = ServiceDirectory(service, directory, self._owners, self._log)
        try:
            self.look(service)
        except BaseException:
            self.remove(service)
            raise

    def remove(self, service: Service) -> None:
        """Change `service` no more; unknown services are ignored."""
        directory = self._directories.pop(service, None)
        if directory is not None:
            directory.close()

    def look(self, service: Service) -> None:
        """Bring `service` up to date now and check all locks; raises OSError."""
        directory = self._directories.get(service)
        if directory is not None:
            self._listen()
            directory.look(doubt_all)

    def suspect(self, key: str) -> None:
        """Check soon whether the owner of the instances with this key is alive. Never waits."""
        self._suspect(key)

    def close(self) -> None:
        """Stop watching; `add` begins again."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        for service in tuple(self._directories):
            self.remove(service)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._owners.close()
        self._suspects.clear()

    @property
    def deaf(self) -> bool:
        """Whether the socket was removed, or was missing for a while. Never waits."""
        return self._socket is not None and (self._missed or not self._socket.in_place)

    def restore(self) -> None:
        """Make a removed socket again, and look for what has changed; raises OSError."""
        if self.deaf:
            self._missed = True  # until this succeeds, even if the file is put back meanwhile
            self._listen()
            self._missed = False
            self._wake.set()

    def _listen(self) -> None:
        if self._socket is None:
            make_private(self._sockets)
            self._socket = WakeupSocket(self._sockets, 'registry', self._wake.set)
        else:
            self._socket.restore()
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = self._spawn(self._run)

    def _suspect(self, who: int | str) -> None:
        self._suspects.add(who)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._suspects.interval())
            self._wake.clear()
            self._look_at_all()

    def _look_at_all(self) -> None:
        suspects = self._suspects.current()
        for directory in tuple(self._directories.values()):
            try:
                directory.look(
                    lambda entry: entry.pid in suspects or entry.instance.key in suspects
                )
            except OSError as error:
                self._log.warn(str(directory), f'stays as it was known: {error.strerror}')
            else:
                self._log.forget(str(directory))
        self._suspects.checked(suspects)
