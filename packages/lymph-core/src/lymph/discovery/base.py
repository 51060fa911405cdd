"""The contract of a service registry: who offers a service, and where.

A registry keeps one live `Service` for each name that was asked for. A backend implements five
methods; what it learns it writes into the service with `Service.add`, `remove` and `update`.
Everything here may wait (it runs in a greenlet), nothing may block the hub. While a registry's
server is away, services keep the instances that were known last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lymph.config import ConfigView
from lymph.core.components import Component
from lymph.core.services import Connector, Service, ServiceInstance
from lymph.exceptions import LookupFailure

__all__ = ['HTTP', 'RPC', 'BaseServiceRegistry']

RPC = 'rpc'  # the namespace of interfaces that answer calls
HTTP = 'http'  # the namespace of interfaces that answer HTTP requests


class BaseServiceRegistry(Component, ABC):
    """Finds services by name and makes instances known."""

    #: hands looked-up services what they need to connect; set by the container
    connector: Connector | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._services: dict[tuple[str, str], Service] = {}

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> BaseServiceRegistry:
        """Make the registry from its section of the configuration.

        Raises ConfigurationError for keys and values the backend does not know.
        """
        raise NotImplementedError(f'{cls.__name__} cannot be configured')

    def get(self, name: str, namespace: str = RPC) -> Service:
        """Return the live view of a service; asked for again, the same object.

        Raises LookupFailure when nobody offers it now. Such names are not kept.
        """
        service = self._services.get((namespace, name))
        if service is not None and len(service):
            return service
        if service is None:
            service = Service(name, self.connector)
            self.watch(service, namespace)
            # somebody else may have asked in the meantime
            known = self._services.setdefault((namespace, name), service)
            if known is not service:
                self.unwatch(service, namespace)
                service = known
        if not len(service):
            self.refresh(service, namespace)
        if not len(service):
            self.forget(name, namespace)
            raise LookupFailure(self._nobody(name, namespace))
        return service

    def forget(self, name: str, namespace: str = RPC) -> None:
        """Stop watching a service; unknown names are ignored."""
        service = self._services.pop((namespace, name), None)
        if service is not None:
            self.unwatch(service, namespace)

    def suspect(self, instance: ServiceInstance) -> None:
        """Hear that `instance` could not be reached; a backend may look again. Never waits."""

    def refresh(self, service: Service, namespace: str) -> None:
        """Bring a watched service up to date now, where the backend can do that."""

    @abstractmethod
    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance now."""

    @abstractmethod
    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Make `instance` findable under `name` until it is unregistered or its process ends.

        The same name and `instance.key` again replaces the facts. Raises RegistrationFailure.
        """

    @abstractmethod
    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Take `instance` out again; one that is not there is ignored."""

    @abstractmethod
    def watch(self, service: Service, namespace: str) -> None:
        """Fill `service` before returning and keep it true until `unwatch`."""

    @abstractmethod
    def unwatch(self, service: Service, namespace: str) -> None:
        """Stop changing `service`."""

    def on_stop(self) -> None:
        """Stop watching everything; backends extend this to unregister and disconnect."""
        for namespace, name in list(self._services):
            self.forget(name, namespace)

    def _nobody(self, name: str, namespace: str) -> str:
        names = ', '.join(sorted(self.discover(namespace))) or 'none'
        return f'no instance of service {name!r} is registered (services now: {names})'
