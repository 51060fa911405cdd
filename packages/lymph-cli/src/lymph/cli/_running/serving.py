"""What an instance serves, and where, in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lymph.core.addresses import join_address
from lymph.core.container import ServiceContainer
from lymph.core.interfaces import Interface

__all__ = ['describe', 'interface_names']


def describe(container: ServiceContainer) -> str:
    """Return what a started container serves, and where; and what it leaves to others.

    ``echo at tcp://10.0.0.5:41573``, or with all that there can be
    ``echo@1.2.0, site at tcp://10.0.0.5:41573; site at http://10.0.0.5:8080; operations at
    http://127.0.0.1:9090; tasks of echo need a worker (lymph worker)``
    """
    parts = [f'{", ".join(interface_names(container))} at {container.endpoint}']
    parts += [f'{name} at {address}' for name, address in sorted(_http(container))]
    if container.operations is not None:
        parts.append(f'operations at {container.operations}')
    if not container.registered:
        parts.append('not registered')
    if not container.worker:
        having = sorted({each.name for each in container.interfaces if type(each).tasks})
        if having:
            parts.append(f'tasks of {", ".join(having)} need a worker (lymph worker)')
    return '; '.join(parts)


def interface_names(container: ServiceContainer) -> list[str]:
    """Return the names that are served, in order: ``echo``, ``echo@1.2.0``, ``mail.worker``."""
    return sorted({_named(container, each) for each in container.interfaces})


def _named(container: ServiceContainer, interface: Interface) -> str:
    name = container.registered_name(interface)
    return name if interface.version is None else f'{name}@{interface.version}'


def _http(container: ServiceContainer) -> Iterator[tuple[str, str]]:
    for name, facts in _facts(container):
        if facts.get('http_port') and facts.get('ip'):
            scheme = facts.get('http_scheme') or 'http'
            yield name, f'{scheme}://{join_address(facts["ip"], facts["http_port"])}'


def _facts(container: ServiceContainer) -> Iterable[tuple[str, dict[str, Any]]]:
    """Return the facts of each interface, as they are registered or as the interface gives them."""
    if container.registered:
        return [(name, instance.serialize()) for name, instance in container.registered]
    return [(each.name, each.instance_facts()) for each in container.interfaces]
