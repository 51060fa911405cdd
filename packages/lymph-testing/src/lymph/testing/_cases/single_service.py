"""Test cases for one service. Source: the manual, section 5.8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lymph.core._declaring.proxies import Proxy
from lymph.core.container import ServiceContainer
from lymph.core.interfaces import Interface
from lymph.testing._cases.integration import Config
from lymph.testing._cases.services import ServicesTestCase
from lymph.testing._mocks.sent import SentRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core._declaring.proxy_declarations import ProxyKeywords

__all__ = ['RPCServiceTestCase', 'SingleServiceTestCase']

T = TypeVar('T')


class SingleServiceTestCase(ServicesTestCase):
    """The base class of test cases that run one interface, in the process of the test."""

    #: the interface under test; required
    service_class: type[Interface] | None = None
    #: the section for its `apply_config`
    service_config: Config = MappingProxyType({})
    #: the name of its service, by default the name of the class in lower case
    service_name: str | None = None

    #: the running interface
    service: Any

    def setUp(self) -> None:
        """Start the service. Raises TypeError if `service_class` is not an interface."""
        super().setUp()
        cls = self.service_class
        if not (isinstance(cls, type) and issubclass(cls, Interface)):
            raise TypeError(
                f'{type(self).__name__}.service_class: '
                f'expected a subclass of lymph.Interface, found {cls!r}'
            )
        self.service = self.start_service(
            self.service_name or cls.__name__.lower(), cls, self.service_config
        )

    @property
    def container(self) -> ServiceContainer:
        """The container of the service."""
        container = self.service.container
        assert isinstance(container, ServiceContainer)
        return container


class RPCServiceTestCase(SingleServiceTestCase):
    """A test case for the calls and events of one interface, made through the whole stack.

    ::

        class EchoTest(RPCServiceTestCase):
            service_class = Echo
            service_config = {'delay': 1}

            def test_upper(self):
                assert self.client.upper(text='foo') == 'FOO'
    """

    @property
    def client(self) -> Proxy:
        """A proxy of the service under test."""
        return self.get_proxy()

    @overload
    def get_proxy(self, /, **options: Unpack[ProxyKeywords]) -> Proxy: ...

    @overload
    def get_proxy(self, interface: Callable[..., T], /, **options: Unpack[ProxyKeywords]) -> T: ...

    def get_proxy(self, interface: Any = None, /, **options: Unpack[ProxyKeywords]) -> Any:
        """Return a proxy of the service under test; other arguments are those of `lymph.proxy`.

        ``self.get_proxy(Echo)`` has the type of a class that declares the methods.
        """
        return self.lymph_client.proxy(self.service.name, interface, **options)

    def request(
        self,
        subject: str,
        body: Mapping[str, Any] | None = None,
        timeout: float = 1,
        *,
        version: str | None = None,
        trace_id: str | None = None,
        **params: Any,
    ) -> SentRequest:
        """Send a request to the service; `get()` of the result waits for the reply, of any type.

        Arguments: the `subject`, which is ``service.method`` or the method alone; the `timeout` in
        seconds (default 1), `version` and `trace_id`. The arguments of the method are `body`,
        keywords, or both; those named like an option of a call (`lymph.core.call_options`) can
        only stand in `body`.

        Raises TypeError as `send` does.
        """
        name = self.service.name
        called = subject if '.' in subject else f'{name}.{subject}'
        options = {'timeout': timeout, 'version': version, 'trace_id': trace_id}
        return self.send(name, called, body, params, **options)
