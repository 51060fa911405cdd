"""Test cases with several services, each in a container of its own, and a client of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lymph.core._declaring.proxies import Proxy
from lymph.core.events import Event
from lymph.core.interfaces import Interface
from lymph.core.trace import get_id, new_id
from lymph.testing.integration import Config, LymphIntegrationTestCase
from lymph.testing.sent import SentRequest

__all__ = ['MultiServiceRPCTestCase', 'ServicesTestCase']


class ServicesTestCase(LymphIntegrationTestCase):
    """What test cases of one service and of several have in common."""

    def setUp(self) -> None:
        """Start the client."""
        super().setUp()
        self.lymph_client = self.create_client()

    def start_service(
        self, name: str, cls: type[Interface], config: Config | None = None
    ) -> Interface:
        """Start a service, or one more instance of it, and return its interface."""
        return self.create_container(cls, name, config=config).interfaces[0]

    def send(
        self, address: str, subject: str, body: Mapping[str, Any] | None, timeout: float
    ) -> SentRequest:
        """Send a request that gets its reply, of whatever type, within `timeout` seconds."""
        container = self.lymph_client.container
        return SentRequest(container.send_request(address, subject, body, timeout=timeout))

    def emit(
        self, event_type: str, payload: Mapping[str, Any] | None = None, delay: float = 0
    ) -> None:
        """Emit an event; it is delivered even while `EventMockTestCase` keeps those of the code."""
        container = self.lymph_client.container
        headers = {'trace_id': get_id() or new_id()}
        container.events.emit(Event(event_type, payload, container.identity, headers), delay)


class MultiServiceRPCTestCase(ServicesTestCase):
    """A test case with several services.

    ::

        class CheckoutTest(MultiServiceRPCTestCase):
            services = {'cart': CartService, 'stock': StockService}
            service_configs = {'stock': {'warehouse': 'north'}}

            def test_buying(self):
                self.get_proxy('cart').buy(article='sock')
    """

    #: interface classes by the names of their services
    services: ClassVar[Mapping[str, type[Interface]]] = {}
    #: what their `apply_config` gets, by the same names
    service_configs: ClassVar[Mapping[str, Config]] = {}

    def setUp(self) -> None:
        """Start the services in their order."""
        super().setUp()
        #: the running interfaces, by the names of their services
        self.interfaces = {
            name: self.start_service(name, cls, self.service_configs.get(name))
            for name, cls in self.services.items()
        }

    def get_proxy(self, address: str, **kwargs: Any) -> Proxy:
        """Return a proxy for a service; the arguments are those of `lymph.Proxy`."""
        return self.lymph_client.proxy(address, **kwargs)

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None = None,
        timeout: float = 1,
        **params: Any,
    ) -> SentRequest:
        """Send a request; `get()` of what is returned waits for the reply, whatever its type.

        Arguments are given as `body`, as keywords, or both; `timeout` in seconds.
        """
        return self.send(address, subject, {**(body or {}), **params}, timeout)
