"""A registry without a server: containers of one process, and addresses in the configuration.

Configuration, all optional: ``services`` maps a name to one or several fixed addresses, each an
endpoint or a mapping of `endpoint` and `version`; ``hub: dep:name`` shares a hub.

::

    container:
      registry:
        class: static
        services:
          echo: [tcp://10.0.0.1:4123, tcp://10.0.0.2:4123]
          mail: {endpoint: tcp://mail:4123, version: 1.2.0}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core.facts import check_endpoint, check_name
from lymph.core.options import refuse_unknown
from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import parse_version
from lymph.discovery.base import RPC, BaseServiceRegistry, check_registration

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['StaticServiceRegistry', 'StaticServiceRegistryHub']


class StaticServiceRegistryHub:
    """What the static registries of one process share."""

    def __init__(self) -> None:
        # (namespace, name) -> key -> instance, who registered it
        self._known: dict[tuple[str, str], dict[str, tuple[ServiceInstance, object]]] = {}
        self._watched: dict[tuple[str, str], list[Service]] = {}

    def create_registry(self, **kwargs: Any) -> StaticServiceRegistry:
        """Return a registry, for one container, that shares this hub."""
        return StaticServiceRegistry(hub=self, **kwargs)

    def names(self, namespace: str) -> set[str]:
        """Return the names that have an instance."""
        return {name for space, name in self._known if space == namespace}

    def add(self, namespace: str, name: str, instance: ServiceInstance, owner: object) -> None:
        """Add an instance, or replace the one with its key, and update the watched services."""
        self._known.setdefault((namespace, name), {})[instance.key] = instance, owner
        for service in tuple(self._watched.get((namespace, name), ())):
            service.add(replace(instance, connector=service.connector))

    def remove(self, namespace: str, name: str, key: str, owner: object) -> None:
        """Remove an instance if `owner` added it, and update the watched services."""
        known = self._known.get((namespace, name), {})
        if key not in known or known[key][1] is not owner:
            return
        del known[key]
        if not known:
            del self._known[namespace, name]
        for service in tuple(self._watched.get((namespace, name), ())):
            service.remove(key)

    def watch(self, namespace: str, service: Service) -> None:
        """Fill `service` and keep it up to date."""
        self._watched.setdefault((namespace, service.name), []).append(service)
        known = self._known.get((namespace, service.name), {}).values()
        service.update(replace(instance, connector=service.connector) for instance, _ in known)

    def unwatch(self, namespace: str, service: Service) -> None:
        """Stop changing `service`."""
        watching = self._watched.get((namespace, service.name), [])
        if service in watching:
            watching.remove(service)
        if not watching:
            self._watched.pop((namespace, service.name), None)


class StaticServiceRegistry(BaseServiceRegistry):
    """Knows what was registered through its hub, and fixed `services`: name -> instances.

    Without a `hub` it has one of its own.
    """

    beyond_host = False

    def __init__(
        self,
        hub: StaticServiceRegistryHub | None = None,
        services: Mapping[str, Iterable[ServiceInstance]] | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        self.hub = StaticServiceRegistryHub() if hub is None else hub
        self._registered: set[tuple[str, str, str]] = set()
        for name, instances in (services or {}).items():
            for instance in instances:
                self.hub.add(RPC, name, instance, owner=None)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> StaticServiceRegistry:
        """Make the registry; raises ConfigurationError for an invalid name, address or version.

        Other keys, and a `hub` of another type, raise it too.
        """
        refuse_unknown(config, ('hub', 'services'))
        hub = config.get('hub')
        if not isinstance(hub, (StaticServiceRegistryHub, type(None))):
            text = f'expected dep:<a StaticServiceRegistryHub>, found {quoted(hub)}'
            raise config.error('hub', text)
        section = config.view('services')
        services = {name: tuple(_read(section, name)) for name in section}
        return cls(**{'hub': hub, 'services': services, **kwargs})

    @property
    def description(self) -> str:
        """Where the fixed addresses are configured, for an operator."""
        return 'the addresses in container.registry.services'

    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance."""
        return self.hub.names(namespace)

    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Add the instance to the hub.

        Raises RegistrationFailure if the name or the facts are invalid.
        """
        check_registration(name, instance)
        self._registered.add((namespace, name, instance.key))
        self.hub.add(namespace, name, instance, owner=self)

    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Remove the instance from the hub, if it was registered here."""
        self._registered.discard((namespace, name, instance.key))
        self.hub.remove(namespace, name, instance.key, owner=self)

    def watch(self, service: Service, namespace: str) -> None:
        """Fill `service` from the hub and keep it up to date."""
        self.hub.watch(namespace, service)

    def unwatch(self, service: Service, namespace: str) -> None:
        """Stop changing `service`; unknown services are ignored."""
        self.hub.unwatch(namespace, service)

    def on_stop(self) -> None:
        """Unregister what was registered here and stop watching; fixed addresses stay."""
        while self._registered:
            self.hub.remove(*self._registered.pop(), owner=self)
        super().on_stop()


def _read(section: ConfigView, name: str) -> Iterator[ServiceInstance]:
    try:
        check_name(name)
    except ValueError as error:
        raise section.error([name], str(error)) from error
    listed = section.get_raw([name])
    # One address need not be in a list; then an error points at the name itself.
    for index, entry in enumerate(listed if isinstance(listed, list) else [listed]):
        where: tuple[str | int, ...] = (name, index) if isinstance(listed, list) else (name,)
        if isinstance(entry, dict):
            refuse_unknown(section.view(where), ('endpoint', 'version'), plain=True)
            endpoint, version = entry.get('endpoint'), entry.get('version')
        else:
            endpoint, version = entry, None
        try:
            yield _instance(endpoint, version)
        except ValueError as error:
            raise section.error(where, str(error)) from error


def _instance(endpoint: object, version: object) -> ServiceInstance:
    """Return the instance at a fixed address; its identity is made from the endpoint."""
    if version is not None:
        if not isinstance(version, str):
            raise ValueError(f'expected a version as text, like "1.2.0", found {quoted(version)}')
        parse_version(version)
    identity = blake2b(check_endpoint(endpoint).encode(), digest_size=16).hexdigest()
    return ServiceInstance.deserialize(
        {'identity': identity, 'endpoint': endpoint, 'version': version}
    )
