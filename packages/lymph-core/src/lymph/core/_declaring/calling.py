"""How interfaces and clients call services: `request` and `proxy`.

Source: the manual, sections 4.5.4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lymph.config.printable import quoted
from lymph.core._declaring.proxies import Caller, ErrorMap, Proxy
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions

if TYPE_CHECKING:
    from lymph.core.call_options import CallKeywords

__all__ = ['CallsServices']


class CallsServices:
    """Calls services through its container."""

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
        """Call `method` (``interface.method``) at a service name or endpoint; return the result.

        Arguments are given as `body`, as keywords, or both. Those that are called like a parameter
        of this method, such as ``retries``, go into `body`. `subject` is another name for `method`.

        `timeout` (seconds), `version`, `retries`, `idempotent` and `trace_id` are the options of
        the call, see `lymph.core.call_options`.

        Raises an RpcError when there is no result, RemoteError when the method raised an error that
        it declares. Before anything is sent it raises SerializationError for arguments that cannot
        travel, TypeError without a method, ValueError for an invalid option.
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
        arguments = _arguments(called, body, params) if body else params
        return self.container.request(address, called, arguments, options=options)

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
    ) -> Proxy:
        """Return a proxy for a service; the arguments are those of `Proxy`."""
        return Proxy(
            self.container,
            address,
            namespace,
            timeout,
            version,
            error_map,
            retries=retries,
            idempotent=idempotent,
            trace_id=trace_id,
        )


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
            raise  # what it raises itself
        text = f'{quoted(called)}: expected the arguments as a dict, found {quoted(body)}'
        raise TypeError(text) from None


def _remote_method(method: str | None, subject: str | None) -> str:
    """Return what a request calls, given as `method` or as `subject`.

    Raises TypeError for both and for neither.
    """
    called = subject if method is None else method
    if called is None:
        raise TypeError("expected the method to call, as in request('echo', 'echo.upper')")
    if method is not None and subject is not None:
        raise TypeError(
            f'expected method or subject, its other name, found both: {quoted(method)} and '
            f"{quoted(subject)}; arguments of these names go into body: body={{'subject': ...}}"
        )
    return called
