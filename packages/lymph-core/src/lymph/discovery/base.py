"""The contract of a service registry: which instances a service has, and where.

A registry keeps one live `Service` for each name that was looked up. A backend implements five
methods, and reports changes to the service with `Service.add`, `remove` and `update`. It must not
trust entries of other processes: an entry that cannot be read, or that
`ServiceInstance.deserialize` rejects, is left out with one warning and does not affect other
entries. All methods run in greenlets and may wait, but must not block the hub. While a registry's
server cannot be reached, services keep the instances that were known last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core._loop.flights import FlightEnded, Flights
from lymph.core._system.refusals import was_stopped
from lymph.core.components import Component
from lymph.core.facts import check_facts, check_name
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.services import Change, Connector, Service, ServiceInstance
from lymph.exceptions import LookupFailure, RegistrationFailure

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['HTTP', 'RPC', 'BaseServiceRegistry', 'check_registration']

RPC = 'rpc'  # the namespace of interfaces that answer calls
HTTP = 'http'  # the namespace of interfaces that answer HTTP requests


def check_registration(name: str, instance: ServiceInstance) -> None:
    """Raise RegistrationFailure for an invalid name, or facts that other processes would reject."""
    try:
        check_name(name)
        check_facts(instance.serialize())
    except ValueError as error:
        raise RegistrationFailure(f'cannot register {quoted(name)}: {error}') from error


class BaseServiceRegistry(Component, ABC):
    """Finds services by name and registers instances."""

    #: whether other machines can find what is registered here
    beyond_host: ClassVar[bool] = True
    #: connects to endpoints, for services that were looked up; set by the container
    connector: Connector | None = None
    #: called with the endpoint of each instance that was removed; set by the container
    released: Callable[[str], None] | None = None

    def __init__(self, **kwargs: Unpack[ComponentParts]) -> None:
        super().__init__(**kwargs)
        # the live views; there is none for a service that has never had an instance
        self._services: dict[tuple[str, str], Service] = {}
        self._lookups: Flights[Service] = Flights(lambda run: self.pool.spawn(run))

    @property
    def description(self) -> str:
        """The kind of the registry and its location, as text for an operator."""
        return type(self).__name__

    def connection_state(self) -> ConnectionState | None:
        """Return the state of the connection to the server; None if there is no server.

        Never waits; may be called by another native thread.
        """
        return None

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> BaseServiceRegistry:
        """Make the registry from its section of the configuration.

        Raises ConfigurationError for unknown keys and invalid values.
        """
        raise NotImplementedError(f'{cls.__name__} cannot be configured')

    def get(self, name: str, namespace: str = RPC) -> Service:
        """Return the live view of a service; the same object each time.

        A view stays live until `forget`, even while it is empty. Raises LookupFailure if the
        service has no instance now, and if the registry does not answer or was stopped.
        """
        service = self.known(name, namespace)
        if service is not None:
            return service
        try:
            return self._lookups.join((namespace, name), lambda: self._look_up(name, namespace))
        except FlightEnded as error:
            raise LookupFailure(
                f'cannot look up {quoted(name)}: {was_stopped("registry")}'
            ) from error

    def known(self, name: str, namespace: str = RPC) -> Service | None:
        """Return a service that was looked up and has instances, or None. Never waits."""
        service = self._services.get((namespace, name))
        return service if service is not None and len(service) else None

    def forget(self, name: str, namespace: str = RPC) -> None:
        """Stop watching a service; unknown names are ignored."""
        service = self._services.pop((namespace, name), None)
        if service is not None:
            self.unwatch(service, namespace)

    def suspect(self, instance: ServiceInstance) -> None:
        """Handle that `instance` could not be reached: a backend may check it. Never waits."""

    def suspect_endpoint(self, endpoint: str) -> None:
        """Suspect the instances at an endpoint; called from the hub when a connection was lost."""
        for service in tuple(self._services.values()):
            for instance in service:
                if instance.endpoint == endpoint:
                    self.suspect(instance)

    def refresh(self, service: Service, namespace: str) -> None:
        """Bring a watched service up to date now, if the backend supports it.

        Raises LookupFailure if the registry does not answer.
        """

    @abstractmethod
    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance now.

        Raises LookupFailure if the registry does not answer.
        """

    @abstractmethod
    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Register `instance` under `name` until it is unregistered or its process ends.

        Registering the same name and `instance.key` again replaces the facts. Raises
        RegistrationFailure for an invalid name or facts (see `check_registration`), and if the
        registry cannot be used.
        """

    @abstractmethod
    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Unregister `instance`; one that this registry did not register is ignored.

        While the registry's server cannot be reached, this returns at once; the instance is
        unregistered when the server is back.
        """

    @abstractmethod
    def watch(self, service: Service, namespace: str) -> None:
        """Fill `service` before returning and keep it up to date until `unwatch`.

        Raises LookupFailure if the registry does not answer.
        """

    @abstractmethod
    def unwatch(self, service: Service, namespace: str) -> None:
        """Stop changing `service`; one that is not watched is ignored."""

    def on_stop(self) -> None:
        """Stop watching everything; backends extend this to unregister and disconnect."""
        for namespace, name in list(self._services):
            self.forget(name, namespace)

    def _look_up(self, name: str, namespace: str) -> Service:
        service = self._services.get((namespace, name))
        if service is not None:
            self.refresh(service, namespace)
            self._expect_instances(service)
            return service
        service = Service(name, self.connector)
        service.observe(self._changed)
        try:
            self.watch(service, namespace)
            self._expect_instances(service)
        except BaseException:
            self.unwatch(service, namespace)
            raise
        self._services[namespace, name] = service
        return service

    def _changed(self, change: Change, instance: ServiceInstance) -> None:
        if change == 'removed' and self.released is not None:
            self.released(instance.endpoint)

    def _expect_instances(self, service: Service) -> None:
        if not len(service):
            raise LookupFailure(
                f'expected an instance of service {quoted(service.name)}, none is registered; '
                'start one, or see what runs: lymph discover',
                service.name,
            )
