"""Test cases with several services, each in a container of its own, and a client of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from lymph.core._declaring.proxies import Proxy
from lymph.core._typing.payloads import Payload, payload_of
from lymph.core.events import Event
from lymph.core.interfaces import Interface
from lymph.core.trace import get_id, new_id
from lymph.testing._cases.integration import Config, LymphIntegrationTestCase
from lymph.testing._mocks.sent import SentRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core._declaring.proxy_declarations import ProxyKeywords

__all__ = ['MultiServiceRPCTestCase', 'ServicesTestCase']

Hosted = TypeVar('Hosted', bound=Interface)
T = TypeVar('T')


class ServicesTestCase(LymphIntegrationTestCase):
    """The base class of test cases with one service and with several.

    `lymph_client` is the client that makes the calls of the test.
    """

    def setUp(self) -> None:
        """Start the client."""
        super().setUp()
        self.lymph_client = self.create_client()

    def start_service(self, name: str, cls: type[Hosted], config: Config | None = None) -> Hosted:
        """Start an instance of a service in a container of its own; return its interface.

        Arguments: its `name`, its interface `cls`, and the section `config` for `apply_config`.
        """
        (interface,) = self.create_container(cls, name, config=config).interfaces
        assert isinstance(interface, cls)
        return interface

    def send(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, Any],
        **options: Any,
    ) -> SentRequest:
        """Send a request once; the options are those of `ServiceContainer.send_request`.

        Raises TypeError for `retries` and `idempotent` in `params`: other calls have these options.
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

    def emit(self, event_type: str, payload: Payload | None = None, delay: float = 0) -> None:
        """Emit an event after `delay` seconds (default 0), on behalf of the test.

        It is delivered, even if `EventMockTestCase` records the events of the code under test.
        """
        container = self.lymph_client.container
        headers = {'trace_id': get_id() or new_id()}
        container.events.emit(
            Event(event_type, payload_of(event_type, payload), container.identity, headers), delay
        )


class MultiServiceRPCTestCase(ServicesTestCase):
    """A test case with several services.

    ::

        class CheckoutTest(MultiServiceRPCTestCase):
            services = {'cart': CartService, 'stock': StockService}
            service_configs = {'stock': {'warehouse': 'north'}}

            def test_buying(self):
                self.get_proxy('cart').buy(article='sock')
    """

    #: the interface classes, by the names of their services
    services: ClassVar[Mapping[str, type[Interface]]] = {}
    #: the sections for their `apply_config`, by the names of their services
    service_configs: ClassVar[Mapping[str, Config]] = {}

    def setUp(self) -> None:
        """Start the services, in the order of `services`."""
        super().setUp()
        #: the running interfaces, by the names of their services
        self.interfaces = {
            name: self.start_service(name, cls, self.service_configs.get(name))
            for name, cls in self.services.items()
        }

    @overload
    def get_proxy(self, address: str, **options: Unpack[ProxyKeywords]) -> Proxy: ...

    @overload
    def get_proxy(
        self, address: str, interface: Callable[..., T], /, **options: Unpack[ProxyKeywords]
    ) -> T: ...

    def get_proxy(
        self, address: str, interface: Any = None, **options: Unpack[ProxyKeywords]
    ) -> Any:
        """Return a proxy for a service; the arguments are those of `lymph.proxy`."""
        return self.lymph_client.proxy(address, interface, **options)

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
        """Send a request; `get()` of the result waits for the reply, of any type.

        Arguments: the `address` of the service, the `subject` (``service.method``), the `timeout`
        in seconds (default 1), `version` and `trace_id`. The arguments of the method are `body`,
        keywords, or both; those named like an option of a call (`lymph.core.call_options`) can
        only stand in `body`.

        Raises TypeError as `send` does.
        """
        options = {'timeout': timeout, 'version': version, 'trace_id': trace_id}
        return self.send(address, subject, body, params, **options)
