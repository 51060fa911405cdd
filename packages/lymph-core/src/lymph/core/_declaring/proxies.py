"""Proxies: another service's methods as attributes.

Source: the manual, sections 4.5.4, 4.5.5, 4.8.1 and 5.2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lymph.config.printable import quoted
from lymph.core.messages import PackedArguments
from lymph.core.transport.endpoints import scheme_of
from lymph.core.versioning import parse_version
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

    def defer(self, call: Callable[[], Any]) -> AsyncResult[Any]:
        """Run a call in the background."""


class _Target(NamedTuple):
    """Where the methods of a proxy are called, and how."""

    container: Caller
    address: str
    namespace: str
    timeout: float | None
    version: str | None
    error_map: ErrorMap


class ProxyMethod:
    """One remote method: call it with keyword arguments."""

    __slots__ = ('_subject', '_target')

    def __init__(self, target: _Target, name: str) -> None:
        self._target = target
        self._subject = f'{target.namespace}.{name}'

    def __call__(self, /, *args: Any, **arguments: Any) -> Any:
        """Call the method and return its result; raises an RpcError (see `lymph.exceptions`)."""
        if args:
            self._refuse(args)
        return self._call(arguments)

    def defer(self, /, *args: Any, **arguments: Any) -> AsyncResult[Any]:
        """Call the method in the background; `get()` of what is returned gives the result.

        Arguments that cannot be serialized are an error here and now (SerializationError).
        """
        if args:
            self._refuse(args)
        call = functools.partial(self._call, PackedArguments(arguments))
        return self._target.container.defer(call)

    def _call(self, arguments: Mapping[str, Any]) -> Any:
        target = self._target
        try:
            return target.container.request(
                target.address,
                self._subject,
                arguments,
                timeout=target.timeout,
                version=target.version,
            )
        except RemoteError as error:
            local = target.error_map.get(error.type)
            if local is None:
                raise
            raise local(str(error)) from error

    def _refuse(self, args: tuple[Any, ...]) -> None:
        raise TypeError(
            f'{self._subject}: arguments travel by name, found {quoted(args[0])} without one'
        )


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
        if version is not None:
            parse_version(version)  # a bad one is an error here, not at the first call
        self._target = _Target(
            container, address, namespace or address, timeout, version, dict(error_map or {})
        )

    def __getattr__(self, name: str) -> ProxyMethod:
        """Return a callable that executes the remote method of this name."""
        if name.startswith('_'):  # protocols of Python (copy, pickle) are not remote methods
            raise AttributeError(name)
        method = ProxyMethod(self._target, name)
        self.__dict__[name] = method
        return method

    def __repr__(self) -> str:
        return f'<Proxy for {self._target.namespace} at {self._target.address}>'


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
