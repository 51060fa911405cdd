"""What the tests of the contract are written in."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from lymph.core.services import Service, ServiceInstance
from lymph.discovery.base import BaseServiceRegistry
from lymph.testing.waiting import eventually

__all__ = ['RegistryHarness', 'make_instance', 'no_connection']


def make_instance(**facts: Any) -> ServiceInstance:
    """Return an instance with an identity and an endpoint of its own, unless `facts` has them."""
    number = secrets.randbelow(60_000) + 1024
    return ServiceInstance(
        **{'identity': secrets.token_hex(16), 'endpoint': f'tcp://127.0.0.1:{number}', **facts}
    )


def no_connection(endpoint: str) -> Any:
    """Stand in for the connector of a container."""
    raise AssertionError(f'nobody was to connect to {endpoint}')


class RegistryHarness:
    """The registries of one test, and what to expect of them."""

    #: seconds to wait for what has to happen
    patience: ClassVar[float] = 10.0

    def make_registry(self) -> BaseServiceRegistry:
        """Return a new registry, not started, that finds what the others of this test register."""
        raise NotImplementedError

    def setup_method(self) -> None:
        """Begin a test with a service name of its own and no registries."""
        self.name = f'service-{secrets.token_hex(6)}'
        self._registries: list[BaseServiceRegistry] = []

    def teardown_method(self) -> None:
        """Stop every registry that was started."""
        while self._registries:
            self.stop(self._registries[-1])

    def start(self) -> BaseServiceRegistry:
        """Return a started registry, as a container has one."""
        registry = self.make_registry()
        registry.connector = no_connection
        self._registries.append(registry)
        registry.on_start()
        return registry

    def stop(self, registry: BaseServiceRegistry) -> None:
        """Stop a registry, as a container that ends would."""
        self._registries.remove(registry)
        registry.on_stop()
        registry.pool.kill()

    def expect(self, service: Service, *instances: ServiceInstance) -> None:
        """Wait until exactly these are the instances of `service`."""
        wanted = {instance.key: instance for instance in instances}
        eventually(
            lambda: {instance.key: instance for instance in service} == wanted,
            self.patience,
            lambda: f'{service} to have {sorted(wanted)}, it has {[i.key for i in service]},',
        )
