"""Proxies: another service's methods as attributes.

Source: the manual, sections 4.5.4, 4.5.5, 4.8.1 and 5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lymph.core.transport.endpoints import scheme_of
from lymph.exceptions import RemoteError

if TYPE_CHECKING:
    from gevent.event import AsyncResult

__all__ = ['Caller', 'ErrorMap', 'Proxy', 'ProxyMethod', 'proxy']

ErrorMap = Mapping[str, type[BaseException]]


class Caller(Protocol):
    """What a proxy needs of a container."""

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> Any:
        """Call and return the result."""

    def defer(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
    ) -> AsyncResult:
        """Call in the background."""


class ProxyMethod:
    """One remote method: call it with keyword arguments."""

    __slots__ = ('_proxy', '_subject')

    def __init__(self, proxy: Proxy, subject: str) -> None:
        self._proxy = proxy
        self._subject = subject

    def __call__(self, /, *args: Any, **arguments: Any) -> Any:
        """Call the method and return its result; raises an RpcError (see `lymph.exceptions`)."""
        self._check(args)
        proxy = self._proxy
        try:
            return proxy._container.request(
                proxy._address,
                self._subject,
                arguments,
                timeout=proxy._timeout,
                version=proxy._version,
            )
        except RemoteError as error:
            local = proxy._error_map.get(error.type)
            if local is None:
                raise
            raise local(str(error)) from error

    def defer(self, /, *args: Any, **arguments: Any) -> AsyncResult:
        """Call the method in the background; `get()` of what is returned gives the result."""
        self._check(args)
        proxy = self._proxy
        return proxy._container.defer(
            proxy._address,
            self._subject,
            arguments,
            timeout=proxy._timeout,
            version=proxy._version,
        )

    def _check(self, args: tuple[Any, ...]) -> None:
        if args:
            raise TypeError(f'{self._subject}: arguments travel by name, found {args[0]!r} without')


class Proxy:
    """Calls methods of the interface `namespace` at `address`.

    `address` is a service name, which is the namespace too unless one is given, or an endpoint.
    `timeout` in seconds; None is the container's. `version` as in ``1.2``. `error_map` gives local
    exception classes for the names of remote ones.
    """

    def __init__(
        self,
        container: Caller,
        address: str,
        namespace: str | None = None,
        timeout: float | None = None,
        version: str | None = None,
        error_map: ErrorMap | None = None,
    ) -> None:
        if namespace is None and scheme_of(address) is not None:
            raise ValueError(f'a proxy for {address} needs a namespace: the name of the interface')
        self._container = container
        self._address = address
        self._namespace = address if namespace is None else namespace
        self._timeout = timeout
        self._version = version
        self._error_map = dict(error_map or {})

    def __getattr__(self, name: str) -> ProxyMethod:
        """Return a callable that executes the remote method of this name."""
        if name.startswith('__'):  # protocols of Python (copy, pickle) are not remote methods
            raise AttributeError(name)
        method = ProxyMethod(self, f'{self._namespace}.{name}')
        self.__dict__[name] = method
        return method

    def __repr__(self) -> str:
        return f'<Proxy for {self._namespace} at {self._address}>'


class _HasContainer(Protocol):
    container: Caller


class ProxyDeclaration:
    """What `lymph.proxy` makes of a class attribute: a proxy of its own for each interface."""

    def __init__(self, address: str, **options: Any) -> None:
        self._address = address
        self._options = options
        self._name = address

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, interface: _HasContainer | None, owner: type) -> Any:
        if interface is None:
            return self
        made = Proxy(interface.container, self._address, **self._options)
        interface.__dict__[self._name] = made  # found there first from now on
        return made


def proxy(
    address: str,
    namespace: str | None = None,
    timeout: float | None = None,
    version: str | None = None,
    error_map: ErrorMap | None = None,
) -> Any:
    """Declare a proxy as a class attribute of an interface; the arguments are those of `Proxy`."""
    return ProxyDeclaration(
        address, namespace=namespace, timeout=timeout, version=version, error_map=error_map
    )
