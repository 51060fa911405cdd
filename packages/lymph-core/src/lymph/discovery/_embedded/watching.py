"""All watched services of a process, and what makes it look again: bells, deaths and suspicions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from lymph.core._system.doorbell import Doorbell
from lymph.core._system.processes import Processes
from lymph.core._system.state import make_private
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service
from lymph.discovery._embedded.views import ServiceView, everybody

__all__ = ['Watching']

# The last lock of a dying process may outlast the connection or the process that gave it away, by a
# moment: a child between fork and exec holds it too. So doubt is worth several looks, the second
# after so many seconds, each later one twice as late.
_LOOKS = 7
_SECOND_LOOK = 0.02


class Watching:
    """Keeps services true while they are watched; `spawn` starts its one greenlet.

    `bells` is the directory in which this process has its bell while it watches anything; `log`
    tells of what cannot be read.
    """

    def __init__(
        self, bells: Path, spawn: Callable[[Callable[[], None]], Any], log: OnceLog
    ) -> None:
        self._bells = bells
        self._spawn = spawn
        self._log = log
        self._views: dict[Service, ServiceView] = {}
        self._owners = Processes(self._doubt)
        self._bell: Doorbell | None = None
        self._missed = False  # rings may have been missed, because the bell could not be restored
        self._greenlet: gevent.Greenlet[..., Any] | None = None
        self._wake = Event()
        self._doubted: dict[int | str, int] = {}  # process, or key of instances -> looks left

    def add(self, service: Service, directory: Path) -> None:
        """Fill `service` from `directory` and keep it true; raises OSError."""
        self._listen()
        self._views[service] = ServiceView(service, directory, self._owners, self._log)
        try:
            self.look(service)
        except BaseException:
            self.remove(service)
            raise

    def remove(self, service: Service) -> None:
        """Change `service` no more."""
        view = self._views.pop(service, None)
        if view is not None:
            view.close()

    def look(self, service: Service) -> None:
        """Bring `service` up to date now, doubting everybody; raises OSError."""
        view = self._views.get(service)
        if view is not None:
            self._listen()
            view.look(everybody)

    def suspect(self, key: str) -> None:
        """Look soon whether the owner of the instances with this key is alive."""
        self._doubt(key)

    def close(self) -> None:
        """End watching; it may begin again."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        for service in tuple(self._views):
            self.remove(service)
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        self._owners.close()
        self._doubted.clear()

    @property
    def deaf(self) -> bool:
        """Whether the bell is not where it can be rung, or was not for a while. Never waits."""
        return self._bell is not None and (self._missed or not os.path.exists(self._bell.path))

    def restore(self) -> None:
        """Make a bell that was lost again, and look at what has changed; raises OSError."""
        if self.deaf:
            self._missed = True  # until it succeeds, even if the bell is put back meanwhile
            self._listen()
            self._missed = False
            self._wake.set()

    def _listen(self) -> None:
        lost = self._bell
        if lost is None or not os.path.exists(lost.path):
            make_private(self._bells)
            self._bell = Doorbell(self._bells, 'registry', self._wake.set)
            if lost is not None:
                lost.close()
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = self._spawn(self._keep_true)

    def _doubt(self, who: int | str) -> None:
        self._doubted.setdefault(who, _LOOKS)
        self._wake.set()

    def _keep_true(self) -> None:
        while True:
            self._wake.wait(self._next_look())
            self._wake.clear()
            self._look_at_all()

    def _next_look(self) -> float | None:
        if not self._doubted:
            return None
        looks = _LOOKS - max(self._doubted.values())
        return _SECOND_LOOK * 2.0 ** (looks - 1)

    def _look_at_all(self) -> None:
        doubted = set(self._doubted)
        for view in tuple(self._views.values()):
            try:
                view.look(lambda entry: entry.pid in doubted or entry.instance.key in doubted)
            except OSError as error:
                self._log.warn(str(view), f'stays as it was known: {error.strerror}')
            else:
                self._log.forget(str(view))
        for who in doubted & self._doubted.keys():
            self._doubted[who] -= 1
            if self._doubted[who] == 0:
                del self._doubted[who]
