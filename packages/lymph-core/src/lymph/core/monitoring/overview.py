"""The state of all services, from what all instances say of themselves: polled, never collected.

An `Overview` finds all instances in the registry, asks each for ``lymph.status`` and
``lymph.get_metrics``, and compares the answers with those before::

    with Overview(client.container) as overview:
        overview.poll()
        gevent.sleep(2.0)
        snapshot = overview.poll()      # rates and quantiles of these two seconds
        for service in snapshot.services:
            print(service.name, service.calls.rate, service.calls.p99)
        print(lymph.serializers.json.plain(snapshot))

The first poll knows no rates. Everything is plain data, described at its classes: a `Snapshot` has
`ServiceState`s, these have `InstanceState`s and a `MethodLoad` for each method and each queue of
events. A figure that is not known is None.

An instance that does not answer has the status ``silent``, and delays no other one: nobody waits
for it again, until it answers. Instances of older versions of lymph have fewer figures.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Final, Protocol

import gevent

from lymph.core._overview.answers import Heard
from lymph.core._overview.asking import Asking
from lymph.core._overview.backend_states import backend_state, connection_of
from lymph.core._overview.background import Background
from lymph.core._overview.data import (
    BackendState,
    InstanceState,
    InstanceStatus,
    Load,
    MethodLoad,
    ServiceState,
    Snapshot,
)
from lymph.core._overview.finding import Directory, ServiceSearch
from lymph.core._overview.queue_states import QueueStates, measured_queues
from lymph.core._overview.states import service_state
from lymph.discovery.base import BaseServiceRegistry
from lymph.events.base import BaseEventSystem
from lymph.events.queues import QueueState

__all__ = [
    'BackendState',
    'InstanceState',
    'InstanceStatus',
    'Load',
    'MethodLoad',
    'Overview',
    'PolledContainer',
    'QueueState',
    'ServiceState',
    'Snapshot',
]

_TIMEOUT: Final = 2.0
_MOST: Final = 5_000
_TURN: Final = 0.01  # seconds of work before others run
#: seconds that a poll waits for the registry and for the event system; and for the registry if it
#: is to wait for everyone
_PATIENCE: Final = 1.0
_LONG_PATIENCE: Final = 15.0


class PolledContainer(Protocol):
    """What an overview needs of a container, such as that of a `lymph.client:Client`.

    `registry` and `events` may wait when they are first read, and raise LymphError.
    """

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""

    def request(
        self, address: str, subject: str, *, timeout: float | None = ..., retries: int | None = ...
    ) -> object:
        """Make a call; see `ServiceContainer.request`."""


class Overview:
    """Polls all instances of all services, or of those with `names`.

    Each instance has `timeout` seconds to answer (default 2.0). At most `most` are asked (default
    5000). Without `queues`, the event system is left alone.
    """

    def __init__(
        self,
        container: PolledContainer,
        names: Collection[str] = (),
        *,
        timeout: float = _TIMEOUT,
        most: int = _MOST,
        queues: bool = True,
    ) -> None:
        self._container = container
        self._most = most
        self._search = ServiceSearch(names)
        self._directory: Background[Directory] = Background(self._find)
        self._asking = Asking(container, timeout)
        self._queues: Background[tuple[QueueState, ...] | None] | None = None
        if queues:
            self._queues = Background(self._read_queues)
        self._queue_states = QueueStates()
        self._registry: BaseServiceRegistry | None = None
        self._events: BaseEventSystem | None = None
        self._polled: float | None = None  # `time.monotonic` of the last poll

    def poll(self, *, everyone: bool = False) -> Snapshot:
        """Ask all instances, and return what is known now.

        Waits for those that answered in time at the last poll, and for those that are new, at most
        for the timeout of one; with `everyone`, for all others as well. Waits up to a second for
        the registry before (15 seconds with `everyone`), and for the event system behind it. Their
        errors are in `problems` of the snapshot. Call it in one greenlet at a time.
        """
        if self._queues is not None:
            self._queues.refresh(0)  # it is read while the instances are asked
        directory = self._directory.refresh(_LONG_PATIENCE if everyone else _PATIENCE) or {}
        endpoints = _endpoints(directory)
        heard = self._asking.ask(endpoints[: self._most], everyone)
        queues = None if self._queues is None else self._queues.wait(_PATIENCE)
        now, at, before = time.monotonic(), time.time(), self._polled
        self._polled = now
        return Snapshot(
            at,
            None if before is None else now - before,
            tuple(_states(directory, heard)),
            _measured_queues(heard.values()) if queues is None else queues,
            self._registry_state(heard.values()),
            self._broker_state(heard.values()),
            self._problems(),
            max(len(endpoints) - self._most, 0),
        )

    def close(self) -> None:
        """End all that still asks. Idempotent."""
        self._asking.close()
        self._directory.close()
        if self._queues is not None:
            self._queues.close()

    def __enter__(self) -> Overview:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _find(self) -> Directory:
        self._registry = self._container.registry
        return self._search.find(self._registry)

    def _read_queues(self) -> tuple[QueueState, ...] | None:
        self._events = self._container.events
        queues = self._events.queues
        return None if queues is None else self._queue_states.read(queues)

    def _problems(self) -> dict[str, str]:
        found = {'registry': self._directory.problem}
        if self._directory.value is None and not self._directory.problem:
            found['registry'] = 'the registry has not answered yet'
        if self._queues is not None:
            found['queues'] = self._queues.problem
        return {name: problem for name, problem in found.items() if problem}

    def _registry_state(self, heard: Collection[Heard]) -> BackendState:
        registry, problem = self._registry, self._directory.problem
        if registry is None:
            return backend_state('registry', '', None, problem, heard)
        state = connection_of(registry)
        return backend_state('registry', registry.description, state, problem, heard)

    def _broker_state(self, heard: Collection[Heard]) -> BackendState:
        events = self._events
        problem = '' if self._queues is None else self._queues.problem
        if events is None:
            return backend_state('broker', '', None, problem, heard)
        name = type(events).__name__
        return backend_state('broker', name, connection_of(events), problem, heard)


def _states(directory: Directory, heard: Mapping[str, Heard]) -> Iterator[ServiceState]:
    """Yield the states of all services; others run in between, since there may be thousands."""
    began = time.monotonic()
    for name, found in directory.items():
        yield service_state(name, found, heard)
        if time.monotonic() - began > _TURN:
            gevent.sleep(0)
            began = time.monotonic()


def _endpoints(directory: Directory) -> list[str]:
    found = (each.first.endpoint for members in directory.values() for each in members)
    return list(dict.fromkeys(found))


def _measured_queues(heard: Collection[Heard]) -> tuple[QueueState, ...]:
    said = (each.last for each in heard if each.since is None)
    return measured_queues(each.figures for each in said if each is not None)
