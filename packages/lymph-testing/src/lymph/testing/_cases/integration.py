"""A test case that makes real containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lymph.client import Client
from lymph.config import Configuration, ConfigView
from lymph.core.container import ServiceContainer
from lymph.core.interfaces import Interface
from lymph.testing._cases.asynchronous import AsyncTestsMixin
from lymph.testing._cases.cases import TestCase
from lymph.testing._cases.containers import InProcess

__all__ = ['Config', 'LymphIntegrationTestCase']

#: A section of a configuration, as a ConfigView or as plain dicts.
Config = Mapping[str, Any]


class LymphIntegrationTestCase(AsyncTestsMixin, TestCase):
    """A test case that starts containers and stops them after each test.

    They reach each other in the memory of the test process, unless `container_config` names other
    backends.
    """

    #: the section `container` of all containers of the test; None (the default): in memory
    container_config: Config | None = None

    def setUp(self) -> None:
        """Prepare the registry, events and network that the containers share."""
        super().setUp()
        self.in_process = InProcess()

    def create_container(
        self,
        interface_class: type[Interface] | None = None,
        name: str | None = None,
        version: str | None = None,
        config: Config | None = None,
    ) -> ServiceContainer:
        """Return a started container, with one interface if a class is given.

        Arguments: the `name` of the service (default: the name of the class in lower case), its
        `version` (default: none), and the section `config` for `apply_config`. The container stops
        after the test.

        Raises ConfigurationError if `container_config` or `config` is invalid.
        """
        container = self._new_container()
        self.addCleanup(container.stop)
        if interface_class is not None:
            name = name or interface_class.__name__.lower()
            section = _section(name, config or {})
            container.install_interface(interface_class, name, version, section)
        container.start()
        return container

    def create_client(self) -> Client:
        """Return a client of the containers; it is closed after the test."""
        if self.container_config is None:
            client = self.in_process.client()
        else:
            client = Client.from_config(self._configuration())
        self.addCleanup(client.close)
        return client

    def _new_container(self) -> ServiceContainer:
        if self.container_config is None:
            return self.in_process.container()
        return ServiceContainer.from_config(self._configuration().view('container'))

    def _configuration(self) -> Configuration:
        return Configuration({'container': dict(self.container_config or {})})


def _section(name: str, config: Config) -> ConfigView:
    if isinstance(config, ConfigView):
        return config
    # Errors name the key that the section has in a file.
    return Configuration({'interfaces': {name: dict(config)}}).view(['interfaces', name])
