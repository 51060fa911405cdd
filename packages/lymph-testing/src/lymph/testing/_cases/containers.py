"""What the containers of a test share: registry, events and network in its process's memory."""

from __future__ import annotations

from typing import Any

from lymph.client import Client
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub

__all__ = ['InProcess']


class InProcess:
    """Makes containers that reach each other and nobody else.

    `network.faults` drops, delays, duplicates and reorders their messages; `network.cut()` closes
    their connections.
    """

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self._services = StaticServiceRegistryHub()
        self._events = LocalEventSystemHub()

    def container(self, **options: Any) -> ServiceContainer:
        """Return a container that is not started; `options` are those of `ServiceContainer`."""
        return ServiceContainer(
            MemoryTransport(network=self.network),
            self._services.create_registry(),
            LocalEventSystem(self._events),
            **options,
        )

    def client(self) -> Client:
        """Return a client of these containers."""
        return Client(self.container(on_demand=True))
