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
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, Any],
        **options: Any,
    ) -> SentRequest:
        """Send a request once; the options are those of `ServiceContainer.send_request`.

        Raises TypeError for `params` that other calls have as options and this one has not.
        """
        for name in ('retries', 'idempotent'):
            if name in params:
                raise TypeError(
                    f'{subject}: a request of a test is sent once and has no {name}; an argument '
                    f'of the method that is called so goes into body: body={{{name!r}: ...}}'
                )
        arguments = {**(body or {}), **params}
        container = self.lymph_client.container
        return SentRequest(container.send_request(address, subject, arguments, **options))

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
        *,
        version: str | None = None,
        trace_id: str | None = None,
        **params: Any,
    ) -> SentRequest:
        """Send a request; `get()` of what is returned waits for the reply, whatever its type.

        Arguments are given as `body`, as keywords, or both; those that are called like an option of
        a call (`lymph.core.call_options`), in `body`. `timeout` in seconds.
        """
        options = {'timeout': timeout, 'version': version, 'trace_id': trace_id}
        return self.send(address, subject, body, params, **options)
