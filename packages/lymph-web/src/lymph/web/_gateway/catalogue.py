"""The allowed methods that exist now, with their schemas and documentation.

Nothing is asked until somebody wants to know. Of each version of an interface one instance is asked
with `lymph.inspect`; what it has answered is kept while it is registered, since a process does not
change its methods. Calls do not need any of this: they are made by name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent.pool import Pool

from lymph.core.backends import FlightEnded, Flights
from lymph.core.call_options import CallOptions
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service, ServiceInstance
from lymph.exceptions import LookupFailure, RpcError
from lymph.web._gateway.allowed import BUILTIN, Allowed, split_name
from lymph.web._gateway.descriptions import AllowedMethod, VersionFacts, read_description
from lymph.web._gateway.hosts import CallingHost
from lymph.web._gateway.merging import METHODS, listed, newest

__all__ = ['Catalogue']

logger = logging.getLogger(__name__)

_NAME: Final = 'catalogue of the gateway'
_AGE: Final = 5.0  # seconds after which services are looked up again
_PATIENCE: Final = 0.5  # seconds to wait for that, if something is known already
_ASK: Final = CallOptions(timeout=2.0)  # for the answer of an instance
_TRIES: Final = 3  # instances of a version that are asked
_AT_ONCE: Final = 10
_INTERFACES: Final = 500
_VERSIONS: Final = 50  # of an interface

if TYPE_CHECKING:
    _Spawn = Callable[[Callable[[], Any]], gevent.Greenlet[..., Any]]
#: by version: the identity of the instance that has described it, and the description
_Described = dict[str | None, tuple[str, VersionFacts]]


class Catalogue:
    """The allowed methods that exist now; `spawn` starts a greenlet.

    At most 500 interfaces, each in its 50 newest versions, 5000 methods and half a million members
    of schemas are described.
    """

    def __init__(
        self,
        allowed: Allowed,
        host: CallingHost,
        spawn: _Spawn,
    ) -> None:
        self._allowed = allowed
        self._host = host
        self._flights: Flights[None] = Flights(spawn)
        self._known: dict[tuple[str, str | None], tuple[str, VersionFacts]] = {}
        self._observed: dict[str, tuple[Service, Callable[[], None]]] = {}
        self._methods: tuple[AllowedMethod, ...] = ()
        self._docs: dict[str, str] = {}
        self._looked_at: float | None = None
        self._changed = False
        self._spawn = spawn
        self._log = OnceLog(logger, 'catalogue')

    def methods(self, timeout: float = 3.0) -> tuple[AllowedMethod, ...]:
        """Return the allowed methods, sorted by name.

        The first time, and after instances have come or gone, this waits up to `timeout` seconds
        for their answers; then it returns what is known.
        """
        self._refresh_within(timeout)
        return self._methods

    def find(self, name: str, timeout: float = 3.0) -> AllowedMethod | None:
        """Return an allowed method by its full name, None if it is not known."""
        return next((each for each in self.methods(timeout) if each.full_name == name), None)

    def doc_of(self, interface: str) -> str:
        """Return the docstring of an interface, as far as it is known."""
        return self._docs.get(interface, '')

    def close(self) -> None:
        """Stop observing services."""
        for name in list(self._observed):
            self._forget(name)
        self._log.close()

    def _refresh_within(self, timeout: float) -> None:
        age = None if self._looked_at is None else time.monotonic() - self._looked_at
        if age is not None and not self._changed:
            if age < _AGE:
                return
            timeout = min(timeout, _PATIENCE)
        # the run goes on if this does not wait for its end
        patience = gevent.Timeout(timeout, False)  # type: ignore[arg-type]  # not in the stubs
        with patience, suppress(FlightEnded):  # it ends when the container stops
            self._flights.join('refresh', self._refresh)
            if self._changed:  # while others waited for this
                self._flights.join('refresh', self._refresh)

    def _refresh(self) -> None:
        self._changed = False
        inspected = _Inspections(self._host, self._spawn)
        names = self._names()
        looks = Pool(_AT_ONCE).map(lambda name: self._look(name, inspected), names)
        found: dict[str, _Described] = dict(zip(names, looks, strict=True))
        for name in self._observed.keys() - found.keys():
            self._forget(name)
        self._known = {
            (name, version): known
            for name, versions in found.items()
            for version, known in versions.items()
        }
        facts = {
            name: {version: description for version, (_, description) in versions.items()}
            for name, versions in found.items()
        }
        methods = tuple(listed(facts, self._allowed))
        if len(methods) > METHODS:
            self._log.warn(_NAME, f'more than {METHODS} methods: the others are not described')
            methods = methods[:METHODS]
        if methods != self._methods:  # else the documents that were made of them stay as they are
            self._methods = methods
        self._docs = {
            name: max((each.doc for each in versions.values()), default='')
            for name, versions in facts.items()
        }
        self._looked_at = time.monotonic()

    def _names(self) -> list[str]:
        """Return the interfaces to look at: those that are named come first."""
        named = sorted(self._allowed.interfaces)
        others: set[str] = set()
        if self._allowed.everything:
            try:
                others = self._host.registry.discover()
            except LookupFailure:
                others = {name for name, _ in self._known}
        fitting = [
            name
            for name in sorted(others.difference(named))
            if split_name(f'{name}.any') and name != BUILTIN
        ]
        names = [*named, *fitting]
        if len(names) > _INTERFACES:
            text = f'more than {_INTERFACES} interfaces: the others are not described'
            self._log.warn(_NAME, text)
        return names[:_INTERFACES]

    def _look(self, name: str, inspected: _Inspections) -> _Described:
        """Return, for each version of an interface, who has described it and how."""
        known = {version: each for (owner, version), each in self._known.items() if owner == name}
        if name == BUILTIN:
            endpoint = self._host.endpoint
            own = [ServiceInstance(endpoint, endpoint)] if endpoint else []
            instances: dict[str | None, list[ServiceInstance]] = {None: own}
        else:
            try:
                service = self._host.registry.get(name)
            except LookupFailure as error:
                return {} if error.service is not None else known
            self._observe(name, service)
            instances = self._by_version(service)
        found: _Described = {}
        for version, serving in instances.items():
            each = self._described(name, version, serving, known.get(version), inspected)
            if each is not None:
                found[version] = each
        return found

    def _by_version(self, service: Service) -> dict[str | None, list[ServiceInstance]]:
        found: dict[str | None, list[ServiceInstance]] = {}
        for instance in service:
            found.setdefault(instance.version, []).append(instance)
        if len(found) > _VERSIONS:
            text = f'more than {_VERSIONS} versions of {service.name}: older ones are not described'
            self._log.warn(_NAME, text)
        return {version: found[version] for version in newest(found, _VERSIONS)}

    def _described(
        self,
        name: str,
        version: str | None,
        instances: list[ServiceInstance],
        known: tuple[str, VersionFacts] | None,
        inspected: _Inspections,
    ) -> tuple[str, VersionFacts] | None:
        there = {instance.identity for instance in instances}
        if known is not None and known[0] in there and known[1].complete:
            return known
        for instance in instances[:_TRIES]:
            reply = inspected.of(instance.endpoint)
            if reply is not None:
                return instance.identity, read_description(reply, name, version)
        return known

    def _observe(self, name: str, service: Service) -> None:
        observed = self._observed.get(name)
        if observed is not None and observed[0] is service:
            return
        self._forget(name)
        self._observed[name] = service, service.observe(self._note_change)

    def _forget(self, name: str) -> None:
        _, end = self._observed.pop(name, (None, None))
        if end is not None:
            end()

    def _note_change(self, change: str, instance: ServiceInstance) -> None:
        self._changed = True


class _Inspections:
    """Asks each instance once."""

    def __init__(self, host: CallingHost, spawn: _Spawn) -> None:
        self._host = host
        self._flights: Flights[None] = Flights(spawn)
        self._replies: dict[str, Any] = {}

    def of(self, endpoint: str) -> Any:
        """Return what an instance has answered, None if it has not."""
        if endpoint not in self._replies:
            with suppress(FlightEnded):  # the container stops
                self._flights.join(endpoint, lambda: self._ask(endpoint))
        return self._replies.get(endpoint)

    def _ask(self, endpoint: str) -> None:
        try:
            self._replies[endpoint] = self._host.request(endpoint, 'lymph.inspect', options=_ASK)
        except RpcError as error:
            logger.debug('%s does not describe its methods: %s', endpoint, error)
            self._replies[endpoint] = None
