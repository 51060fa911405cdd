"""Follows the logs of all instances, once for all pages, and only while somebody looks.

An instance publishes its log where its configuration has a `container.log_endpoint`. The last
records are kept as long as it goes on, so that a page which is opened, or which asks for others,
has something to show at once. Records carry numbers, by which pages know those they have.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import gevent

from lymph.config.printable import quoted
from lymph.core.monitoring.log_reader import LogSocket
from lymph.core.monitoring.once_log import OnceLog
from lymph.discovery.base import BaseServiceRegistry
from lymph.exceptions import LookupFailure, LymphError
from lymph.web._dashboard.frames import named_frame
from lymph.web._dashboard.polling import Viewer
from lymph.web._dashboard.records import WantedRecords, record_facts

__all__ = ['LogFollowing', 'LogSource']

logger = logging.getLogger(__name__)

_LOOK_AGAIN: Final = 2.0  # seconds between two looks at the registry
_LINGER: Final = 10.0  # seconds for which it goes on without pages
_INSTANCES: Final = 500  # that are followed
_KEPT: Final = 500  # records
_SHOWN_AT_ONCE: Final = 2**20  # bytes of these
_READ_AHEAD: Final = 5_000  # records
_AT_ONCE: Final = 50  # records between two turns of the loop


class LogHost(Protocol):
    """What following needs of a container."""

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry."""


@dataclass
class _Members:
    """The instances that were found: where they publish, and what they offer, by identity."""

    endpoints: dict[str, str] = field(default_factory=dict)
    services: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, int]:
        """How many are followed, and how many publish no log."""
        return {
            'followed': len(self.endpoints),
            'silent': len(self.services) - len(self.endpoints),
        }


class LogFollowing:
    """Follows logs through the registry of `host` while there are viewers."""

    def __init__(self, host: LogHost, spawn: Callable[[Callable[[], None]], Any]) -> None:
        self._host = host
        self._spawn = spawn
        self._viewers: dict[Viewer, WantedRecords] = {}
        self._kept: deque[tuple[dict[str, Any], frozenset[str], bytes]] = deque(maxlen=_KEPT)
        self._members = _Members()
        self._problem = ''
        self._running: Any = None
        self._wanted = 0.0  # `time.monotonic` until which it goes on without viewers
        self._log = OnceLog(logger, 'logs of instances')

    def join(self, viewer: Viewer, wanted: WantedRecords) -> None:
        """Put the records that are wanted into `viewer`, the last ones first of all."""
        viewer.put(self._state())
        for frame in self._last(wanted):
            viewer.put(frame)
        self._viewers[viewer] = wanted
        self._wanted = time.monotonic() + _LINGER
        if self._running is None:
            self._running = self._spawn(self._run)

    def _last(self, wanted: WantedRecords) -> list[bytes]:
        """Return the last records that are wanted, not so many that a page falls behind."""
        found: list[bytes] = []
        size = 0
        for facts, services, frame in reversed(self._kept):
            if wanted.admits(facts, services):
                size += len(frame)
                if size > _SHOWN_AT_ONCE:
                    break
                found.append(frame)
        return found[::-1]

    def leave(self, viewer: Viewer) -> None:
        """Put nothing more into `viewer`."""
        self._viewers.pop(viewer, None)
        self._wanted = time.monotonic() + _LINGER

    def close(self) -> None:
        """Log how many lines were left out."""
        self._log.close()

    def _run(self) -> None:
        socket = LogSocket(_READ_AHEAD)
        reading = self._spawn(lambda: self._read(socket))
        try:
            while not reading.ready() and (self._viewers or time.monotonic() < self._wanted):
                self._look(socket)
                gevent.sleep(_LOOK_AGAIN)
        finally:
            self._running = None
            reading.kill()
            socket.close()
            self._members = _Members()
            self._kept.clear()
            for viewer in tuple(self._viewers):  # if it has failed, they come back
                viewer.end()

    def _look(self, socket: LogSocket) -> None:
        """Follow what the registry has now, and tell viewers of changes."""
        before = self._state()
        try:
            found = self._find()
            self._problem = ''
        except LymphError as error:
            self._problem = str(error)
        else:
            was, now = set(self._members.endpoints.values()), set(found.endpoints.values())
            for endpoint in was - now:
                socket.disconnect(endpoint)
            unusable = {each for each in now - was if not self._connect(socket, each)}
            found.endpoints = {
                identity: endpoint
                for identity, endpoint in found.endpoints.items()
                if endpoint not in unusable
            }
            self._members = found
        state = self._state()
        if state != before:
            for viewer in tuple(self._viewers):
                viewer.put(state)

    def _connect(self, socket: LogSocket, endpoint: str) -> bool:
        try:
            socket.connect(endpoint)
        except OSError as error:
            self._log.warn(endpoint, f'cannot be followed: {error.strerror}')
            return False
        return True

    def _find(self) -> _Members:
        registry = self._host.registry
        found = _Members()
        for name in sorted(registry.discover()):
            with suppress(LookupFailure):  # it is gone
                for instance in registry.get(name):
                    known = found.services.get(instance.identity, frozenset())
                    found.services[instance.identity] = known | {name}
                    if instance.log_endpoint is not None and len(found.endpoints) < _INSTANCES:
                        found.endpoints[instance.identity] = instance.log_endpoint
        return found

    def _read(self, socket: LogSocket) -> None:
        count = 0
        while True:
            facts = socket.receive()
            count += 1
            if count % _AT_ONCE == 0:
                gevent.sleep(0)  # records that are there already are received without waiting
            if facts is not None:
                self._take(facts)

    def _take(self, facts: dict[str, Any]) -> None:
        services = self._members.services.get(facts['identity'], frozenset())
        shown = record_facts(facts, services)
        frame = named_frame('record', shown)
        self._kept.append((shown, services, frame))
        for viewer, wanted in tuple(self._viewers.items()):
            if wanted.admits(shown, services):
                viewer.put(frame)

    def _state(self) -> bytes:
        problem = quoted(self._problem, 500) if self._problem else ''
        return named_frame('state', {**self._members.facts, 'problem': problem})


class LogSource:
    """What one page wants of the logs."""

    def __init__(self, following: LogFollowing, wanted: WantedRecords) -> None:
        self._following = following
        self._wanted = wanted

    def join(self, viewer: Viewer) -> None:
        """Put the records that are wanted into `viewer` from now on."""
        self._following.join(viewer, self._wanted)

    def leave(self, viewer: Viewer) -> None:
        """Put no more records into `viewer`."""
        self._following.leave(viewer)
