"""How interfaces and clients call services: `request` and `proxy`.

Source: the manual, sections 4.5.4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lymph.config.printable import quoted
from lymph.core._declaring.proxies import Caller, ErrorMap, Proxy
from lymph.core._declaring.proxy_declarations import ProxyDeclaration, ProxyKeywords
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.call_options import CallKeywords

__all__ = ['CallsServices']

T = TypeVar('T')


class CallsServices:
    """Base of interfaces and clients: calls services through `container`."""

    container: Caller

    def request(
        self,
        address: str,
        method: str | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        version: str | None = None,
        retries: int | None = None,
        idempotent: bool = False,
        trace_id: str | None = None,
        subject: str | None = None,
        **params: Any,
    ) -> Any:
        """Call a method of a service and return its result.

        `address` is the name of a service or an endpoint, `method` is ``interface.method``;
        `subject` is another name for `method`. Give the arguments as `body`, as keywords, or both.
        An argument that is called like a parameter of `request`, such as ``retries``, has to be in
        `body`.

        The options of the call (details in `lymph.core.call_options`):

        ``timeout``
            Seconds for the whole call, retries included. Default: `container.rpc.timeout`.
        ``version``
            The version of the interface, such as ``'1.2'``. Default: the newest major version.
        ``retries``
            How often the call may be retried. Default: `container.rpc.retries`.
        ``idempotent``
            True: retry also if an attempt may have run. Default: as the method is declared.
        ``trace_id``
            The trace id that the call carries. Default: that of the current work.

        Raises RemoteError when the method raised an error that it declares, another RpcError when
        there is no result. Raises before anything is sent: SerializationError for arguments that
        cannot be serialized, TypeError without a method, ValueError for an invalid option,
        WrongThread.
        """
        called = _remote_method(method, subject)
        options = DEFAULT_OPTIONS
        if (
            timeout is not None
            or version is not None
            or retries is not None
            or idempotent is not False
            or trace_id is not None
        ):
            options = _options_of(
                address,
                called,
                {
                    'timeout': timeout,
                    'version': version,
                    'retries': retries,
                    'idempotent': idempotent,
                    'trace_id': trace_id,
                },
            )
        arguments = params if body is None else _arguments(called, body, params)
        return self.container.request(address, called, arguments, options=options)

    @overload
    def proxy(
        self,
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
    def proxy(
        self, address: str, interface: Callable[..., T], /, **options: Unpack[ProxyKeywords]
    ) -> T: ...

    def proxy(  # type: ignore[misc]  # `namespace` by name arrives in its own parameter
        self,
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
        """Return a proxy for a service. Arguments and errors are those of `lymph.proxy`."""
        options = CallOptions(timeout, version, retries, idempotent, trace_id)
        declaration = ProxyDeclaration(address, interface, namespace, options, error_map)
        return declaration.proxy(self.container)


def _options_of(address: str, called: str, given: CallKeywords) -> CallOptions:
    try:
        return DEFAULT_OPTIONS.changed(called, given, address)
    except ValueError as error:
        name = 'an argument of the method that is called like an option goes into body'
        raise ValueError(f'{error}; {name}') from None


def _arguments(called: str, body: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, given as `body` and as keywords; raises TypeError."""
    try:
        return {**body, **params}
    except TypeError:
        if isinstance(body, Mapping):
            raise  # the error of the mapping itself
        text = f'{quoted(called)}: expected the arguments as a dict, found {quoted(body)}'
        raise TypeError(text) from None


def _remote_method(method: str | None, subject: str | None) -> str:
    """Return the method to call, given as `method` or as `subject`; raises TypeError otherwise."""
    called = subject if method is None else method
    if called is None:
        raise TypeError("expected the method to call, as in request('echo', 'echo.upper')")
    if method is not None and subject is not None:
        raise TypeError(
            f'expected method or subject, its other name, found both: {quoted(method)} and '
            f"{quoted(subject)}; arguments of these names go into body: body={{'subject': ...}}"
        )
    return called
