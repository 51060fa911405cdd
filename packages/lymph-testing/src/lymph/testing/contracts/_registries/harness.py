"""The tools of the registry tests."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from lymph.core.services import Service, ServiceInstance
from lymph.discovery.base import BaseServiceRegistry
from lymph.testing.waiting import eventually

__all__ = ['RegistryHarness', 'make_instance', 'no_connection']


def make_instance(**facts: Any) -> ServiceInstance:
    """Return an instance with a unique identity and endpoint, unless `facts` has them."""
    number = secrets.randbelow(60_000) + 1024
    return ServiceInstance(
        **{'identity': secrets.token_hex(16), 'endpoint': f'tcp://127.0.0.1:{number}', **facts}
    )


def no_connection(endpoint: str) -> Any:
    """Stand in for the connector of a container. Raises AssertionError: no test connects."""
    raise AssertionError(f'nobody was to connect to {endpoint}')


class RegistryHarness:
    """Starts and stops the registries of a test, and waits for what they find."""

    #: seconds to wait for something that has to happen
    patience: ClassVar[float] = 10.0

    def make_registry(self) -> BaseServiceRegistry:
        """Return a new registry, not started, that finds what the others of this test register.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    def setup_method(self) -> None:
        """Prepare a test with a unique service name and without registries."""
        self.name = f'service-{secrets.token_hex(6)}'
        self._registries: list[BaseServiceRegistry] = []

    def teardown_method(self) -> None:
        """Stop all registries."""
        while self._registries:
            self.stop(self._registries[-1])

    def start(self) -> BaseServiceRegistry:
        """Return a started registry, connected as in a container."""
        registry = self.make_registry()
        registry.connector = no_connection
        self._registries.append(registry)
        registry.on_start()
        return registry

    def stop(self, registry: BaseServiceRegistry) -> None:
        """Stop a registry as a container does."""
        self._registries.remove(registry)
        registry.on_stop()
        registry.pool.kill()

    def expect(self, service: Service, *instances: ServiceInstance) -> None:
        """Wait until the instances of `service` are exactly these."""
        wanted = {instance.key: instance for instance in instances}
        eventually(
            lambda: {instance.key: instance for instance in service} == wanted,
            self.patience,
            lambda: f'{service} to have {sorted(wanted)}, it has {[i.key for i in service]},',
        )
