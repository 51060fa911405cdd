"""`lymph.proxy`: a proxy as a class attribute of an interface, and what all ways to make one share.

Source: the manual, section 4.5.4.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from lymph.config.printable import printable
from lymph.core._declaring.declared_methods import DeclaredMethods, methods_of
from lymph.core._declaring.declared_proxies import DeclaredProxy
from lymph.core._declaring.proxies import Caller, ErrorMap, Proxy, Target, checked, proxy_of
from lymph.core.call_options import CallKeywords, CallOptions
from lymph.core.limits import SUBJECT

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ['ProxyDeclaration', 'ProxyKeywords', 'proxy']

T = TypeVar('T')


class ProxyKeywords(CallKeywords, total=False):
    """The arguments of a proxy besides its address, for type checkers; see `Proxy`."""

    namespace: str | None
    error_map: ErrorMap | None


class _HasContainer(Protocol):
    container: Caller


class ProxyDeclaration:
    """The descriptor that `lymph.proxy` returns: it makes one proxy for each interface object.

    `interface` is a class that declares the methods, the name of the interface as text, or None.
    """

    kind = 'proxy'

    def __init__(
        self,
        address: str,
        interface: object,
        namespace: str | None,
        options: CallOptions,
        error_map: ErrorMap | None,
    ) -> None:
        self._methods: DeclaredMethods | None = None
        name: Any = namespace
        if isinstance(typing.get_origin(interface) or interface, type):  # ``Stock[int]`` is not
            self._methods = methods_of(interface)
        elif interface is not None and namespace is not None:
            what = printable(address, SUBJECT) if isinstance(address, str) else 'a proxy'
            raise TypeError(f'{what}: expected one namespace, found two')
        else:
            name = interface if namespace is None else namespace
        self._place = checked(address, name, options, error_map)
        self._name = address
        self._lymph_declaration = self

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def check(self) -> None:
        """Raise ConfigurationError for an annotation of a result that cannot be used."""
        if self._methods is not None:
            self._methods.check()

    def proxy(self, container: Caller) -> Proxy:
        """Return a proxy that calls through `container`."""
        target = Target(container, *self._place)
        return proxy_of(target) if self._methods is None else DeclaredProxy(target, self._methods)

    def __get__(self, interface: _HasContainer | None, owner: type) -> Any:
        if interface is None:
            return self
        made = self.proxy(interface.container)
        interface.__dict__[self._name] = made  # from now on Python finds it without this method
        return made


@overload
def proxy(
    address: str,
    namespace: str | None = None,
    timeout: float | None = None,
    version: str | None = None,
    error_map: ErrorMap | None = None,
    *,
    retries: int | None = None,
    idempotent: bool = False,
    trace_id: str | None = None,
) -> Proxy: ...


@overload
def proxy(address: str, interface: Callable[..., T], /, **options: Unpack[ProxyKeywords]) -> T: ...


def proxy(  # type: ignore[misc]  # `namespace` by name arrives in its own parameter
    address: str,
    interface: object = None,
    timeout: float | None = None,
    version: str | None = None,
    error_map: ErrorMap | None = None,
    *,
    namespace: str | None = None,
    retries: int | None = None,
    idempotent: bool = False,
    trace_id: str | None = None,
) -> Any:
    """Declare a proxy as a class attribute of an interface: ``echo = lymph.proxy('echo')``.

    Each interface object gets a `Proxy` of its own on first use. Arguments and errors are those of
    `Proxy`; errors are raised here, when the class is defined.

    With a class as second argument, ``stock = lymph.proxy('stock', Stock)``, type checkers see an
    object of this class: an `Interface`, a Protocol, or any other class that declares the methods
    of the service. The proxy then has only these methods, and raises AttributeError for others.
    Raises TypeError for a class that declares none.
    """
    options = CallOptions(timeout, version, retries, idempotent, trace_id)
    return ProxyDeclaration(address, interface, namespace, options, error_map)
