"""Looks up all services in the registry, also those that only answer HTTP, and their instances."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import gevent.pool

from lymph.core._overview.states import Registered
from lymph.core.services import ServiceInstance
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure

__all__ = ['Directory', 'ServiceSearch', 'by_process']

_NAMESPACES: Final = (RPC, HTTP)
_AT_ONCE: Final = 50

#: the processes of each service
Directory = dict[str, list[Registered]]


class ServiceSearch:
    """Finds the processes of all services, or of those with these names, again and again."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(names)
        self._watched: set[tuple[str, str]] = set()  # (namespace, name) of views to give back

    def find(self, registry: BaseServiceRegistry) -> Directory:
        """Return the processes; a service that leaves meanwhile is left out.

        Raises LookupFailure if the registry does not answer.
        """
        wanted = [
            (space, name)
            for space in _NAMESPACES
            for name in sorted(registry.discover(space))
            if not self._names or name in self._names
        ]

        def look_up(asked: tuple[str, str]) -> list[ServiceInstance]:
            space, name = asked
            try:
                return list(registry.get(name, space))
            except LookupFailure:
                return []

        self._watched.update(wanted)
        found = gevent.pool.Pool(_AT_ONCE).map(look_up, wanted)
        self._forget(registry, set(wanted))
        return by_process(
            (name, space, each)
            for (space, name), instances in zip(wanted, found, strict=True)
            for each in instances
        )

    def _forget(self, registry: BaseServiceRegistry, wanted: set[tuple[str, str]]) -> None:
        """Give back the views of services that are gone; the registry watches them otherwise."""
        for space, name in self._watched - wanted:
            if registry.known(name, space) is None:
                registry.forget(name, space)
                self._watched.remove((space, name))


def by_process(found: Iterable[tuple[str, str, ServiceInstance]]) -> Directory:
    """Return instances (service, namespace, instance) by service, one entry for each process.

    A process that answers calls and HTTP, or has several versions, is one.
    """
    processes: dict[tuple[str, str, str], tuple[list[str], dict[str, ServiceInstance]]] = {}
    for name, space, each in found:
        spaces, versions = processes.setdefault((name, each.endpoint, each.identity), ([], {}))
        if space not in spaces:
            spaces.append(space)
        if each.key not in versions or each.http_port is not None:
            versions[each.key] = each
    directory: Directory = {}
    for (name, _, _), (spaces, versions) in sorted(processes.items()):
        directory.setdefault(name, []).append(
            Registered(name, tuple(spaces), tuple(versions.values()))
        )
    return directory
