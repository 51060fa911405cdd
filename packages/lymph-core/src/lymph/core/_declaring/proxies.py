"""Proxies: the methods of another service as attributes of an object.

Source: the manual, sections 4.5.4, 4.5.5, 4.8.1 and 5.2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar

from lymph.config.printable import printable, quoted
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.core.limits import SUBJECT
from lymph.core.transport.endpoints import endpoint_of, expect_address, scheme_of
from lymph.exceptions import RemoteError
from lymph.serializers.msgpack import pack

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core._loop.results import AsyncResult
    from lymph.core.call_options import CallKeywords
    from lymph.exceptions import CallFacts

__all__ = [
    'Caller',
    'ErrorMap',
    'Proxy',
    'ProxyMethod',
    'Target',
    'UntypedMethod',
    'checked',
    'proxy_of',
]

P = ParamSpec('P')
R = TypeVar('R')
ErrorMap = Mapping[str, type[BaseException]]


class Caller(Protocol):
    """What proxies, interfaces and clients need of the container that makes their calls."""

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        options: CallOptions = DEFAULT_OPTIONS,
    ) -> Any:
        """Make a call and return the result; see `CallerSide.request`."""

    def defer(self, call: Callable[[], R], **facts: Unpack[CallFacts]) -> AsyncResult[R]:
        """Run a call in the background; see `CallerSide.defer`."""


class Target(NamedTuple):
    """The container, address, namespace and options that all methods of a proxy share."""

    container: Caller
    address: str
    namespace: str
    options: CallOptions
    error_map: ErrorMap


class ProxyMethod(Generic[P, R]):
    """One remote method: call it with keyword arguments."""

    __slots__ = ('_subject', '_target')

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._subject = f'{target.namespace}.{name}'

    def __call__(self, /, *args: P.args, **arguments: P.kwargs) -> R:
        """Call the method and return its result.

        All keywords are arguments of the method, whatever their names; `Proxy.with_options` sets
        options of the call. Raises the error of `error_map` for a remote error that is named there,
        otherwise what `CallerSide.request` raises; TypeError for positional arguments.
        """
        return self._call(self._named(args, arguments) if args else arguments)

    def defer(self, /, *args: P.args, **arguments: P.kwargs) -> AsyncResult[R]:
        """Call the method in the background and return an AsyncResult.

        Its `get()` returns the result or raises the error of the call. Raises at once:
        SerializationError for arguments that cannot be serialized, TypeError for positional ones.
        """
        target = self._target
        body = self._named(args, arguments) if args else arguments
        return target.container.defer(
            functools.partial(self._call, pack(body)),
            subject=self._subject,
            endpoint=endpoint_of(target.address),
            timeout=target.options.timeout,
            trace_id=target.options.trace_id,
        )

    def _call(self, body: Any) -> R:
        container, address, _, options, error_map = self._target
        try:
            # nothing is known of it here, and this line is on the path of every call
            return container.request(  # type: ignore[no-any-return]
                address, self._subject, body, options=options
            )
        except RemoteError as error:
            local = error_map.get(error.type)
            if local is None:
                raise
            raise local(str(error)) from error

    def _named(self, args: tuple[Any, ...], arguments: dict[str, Any]) -> dict[str, Any]:
        """Return all arguments by name."""
        raise TypeError(
            f'{self._subject}: arguments travel by name, found {quoted(args[0])} without one'
        )


class UntypedMethod(Protocol):
    """A `ProxyMethod` of which nothing is known: it takes arguments by name, whatever they are."""

    def __call__(self, /, **arguments: Any) -> Any:
        """Call the method and return its result."""

    def defer(self, /, **arguments: Any) -> AsyncResult[Any]:
        """Call the method in the background and return an AsyncResult."""


class Proxy:
    """Calls methods of the interface `namespace` at `address`: ``Proxy(...).upper(text='x')``.

    `address` is the name of a service or an endpoint. `namespace` is the name of the interface; it
    may be left out for a service, where it is the same as `address`. `timeout` (seconds),
    `version`, `retries`, `idempotent` and `trace_id` are the options of all calls through this
    proxy; see `lymph.core.call_options`. `error_map` maps names of remote exception classes to
    local classes, which are raised instead of RemoteError.

    Raises ValueError for an endpoint without a namespace and for an invalid option, TypeError for
    an address or a namespace that is not text and for an invalid `error_map`.
    """

    def __init__(
        self,
        container: Caller,
        address: str,
        namespace: str | None = None,
        timeout: float | None = None,
        version: str | None = None,
        error_map: ErrorMap | None = None,
        *,
        retries: int | None = None,
        idempotent: bool = False,
        trace_id: str | None = None,
    ) -> None:
        options = CallOptions(timeout, version, retries, idempotent, trace_id)
        self._target = Target(container, *checked(address, namespace, options, error_map))

    def _with(self, target: Target) -> Proxy:
        """Return a proxy like this one for another target."""
        made = self.__new__(type(self))
        made._target = target  # noqa: SLF001 - its own class
        return made

    def with_options(self, **changes: Unpack[CallKeywords]) -> Proxy:
        """Return a proxy with other options: ``echo.with_options(timeout=3).upper(text='x')``.

        Options that are not given keep the values of this proxy; None stands for the default. Use
        `request` to call a remote method whose own name is ``with_options``. Raises TypeError for
        an unknown option and without any, ValueError for an invalid value, Expired for a timeout
        of 0 or less.
        """
        target = self._target
        what = f'{target.namespace}.with_options'
        if not changes:
            raise TypeError(
                f'{what}: expected options of a call, as in with_options(timeout=3); '
                f"a remote method of this name is called with request(..., '{what}')"
            )
        return self._with(target._replace(options=target.options.changed(what, changes)))

    def __getattr__(self, name: str) -> UntypedMethod:
        """Return the remote method of this name; raises AttributeError for ``_names``."""
        if name.startswith('_'):  # `copy`, `pickle` and others look for special methods
            raise AttributeError(name)
        method: ProxyMethod[..., Any] = ProxyMethod(self._target, name)
        self.__dict__[name] = method
        return method

    def __repr__(self) -> str:
        return f'<Proxy for {self._target.namespace} at {self._target.address}>'


def proxy_of(target: Target) -> Proxy:
    """Return a proxy for a target, whose fields have been checked."""
    made = Proxy.__new__(Proxy)
    made._target = target  # noqa: SLF001 - the class of this file
    return made


def checked(
    address: Any, namespace: Any, options: CallOptions, error_map: Any
) -> tuple[str, str, CallOptions, ErrorMap]:
    """Return the fields of a `Target` after its container; raises as `Proxy` does."""
    expect_address(address)
    what = f'a proxy for {printable(address, SUBJECT)}'
    if namespace is None and scheme_of(address) is not None:
        raise ValueError(f'{what} needs a namespace: the name of the interface')
    if namespace is not None and not isinstance(namespace, str):
        found = f'the name of the interface, as text, found {quoted(namespace)}'
        advice = (
            '; lymph.proxy and self.proxy take a class too' if isinstance(namespace, type) else ''
        )
        raise TypeError(f'{what}: expected the namespace, {found}{advice}')
    if not isinstance(error_map, (Mapping, type(None))):
        found = f"such as {{'KeyError': KeyError}}, found {quoted(error_map)}"
        raise TypeError(f'{what}: expected the error_map as a mapping, {found}')
    local_classes = dict(error_map or {})
    for name, local in local_classes.items():
        if not isinstance(name, str):
            found = f'as text, found {quoted(name)}'
            raise TypeError(f'{what}: expected the names of remote errors in its error_map {found}')
        if not (isinstance(local, type) and issubclass(local, BaseException)):
            found = f'for {quoted(name)} in its error_map, found {quoted(local)}'
            raise TypeError(f'{what}: expected a class of exceptions {found}')
    return address, namespace or address, options, local_classes
