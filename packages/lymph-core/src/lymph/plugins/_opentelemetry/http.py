"""Spans of HTTP requests that an HTTP interface answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from lymph.config.printable import printable
from lymph.core._work.environment import TRACE_FIELDS_KEY, TRACEPARENT_KEY
from lymph.core.addresses import parse_address
from lymph.core.failures import error_line, error_name
from lymph.core.interceptors import Work
from lymph.plugins._opentelemetry.carrying import carried, fields, put
from lymph.plugins._opentelemetry.names import (
    CLIENT_ADDRESS,
    ERROR_TYPE,
    HTTP_METHOD,
    HTTP_METHOD_ORIGINAL,
    HTTP_ROUTE,
    HTTP_STATUS,
    LYMPH_HANDLER,
    PROTOCOL_VERSION,
    SERVER_ADDRESS,
    SERVER_PORT,
    URL_PATH,
    URL_SCHEME,
    USER_AGENT,
)
from lymph.plugins._opentelemetry.outcomes import keep
from lymph.plugins._opentelemetry.spans import begin, run_in

__all__ = ['HttpSpans']

_METHODS: Final = frozenset(
    {'CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'}
)
_TEXT = 1000  # characters of what a client has sent


class HttpSpans:
    """Makes the spans of HTTP requests."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def request(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Answer a request.

        The parent of the span is what the request carries. What the interface sends back and on has
        the span: the field ``traceparent`` of the answer, and `lymph.web.tracing.trace_headers`.
        """
        wsgi: dict[str, Any] = work.request.environ
        parent = carried(work.headers)
        attributes = _attributes(work, wsgi)
        method = attributes[HTTP_METHOD]
        first = 'HTTP' if method == '_OTHER' else method
        name = f'{first} {attributes[HTTP_ROUTE]}' if HTTP_ROUTE in attributes else first
        span = begin(self._tracer, work, name, SpanKind.SERVER, parent, attributes)
        context = set_span_in_context(span, parent)
        made: dict[str, Any] = {}
        put(made, context)
        # in a greenlet that does not have this context, the span of the request is the parent
        wsgi[TRACE_FIELDS_KEY] = lambda: fields() or made
        if TRACEPARENT_KEY in wsgi:
            wsgi[TRACEPARENT_KEY] = made.get('traceparent', wsgi[TRACEPARENT_KEY])

        def noted() -> Any:
            answer = proceed()
            if span.is_recording():
                _answered(span, work.status_of(answer))
            return answer

        return run_in(span, context, noted, partial(_failed, span, work))


def _attributes(work: Work, wsgi: dict[str, Any]) -> dict[str, Any]:
    method = wsgi.get('REQUEST_METHOD', '')
    attributes: dict[str, Any] = {
        HTTP_METHOD: method if method in _METHODS else '_OTHER',
        URL_PATH: printable(work.request.path, _TEXT),
        URL_SCHEME: wsgi.get('wsgi.url_scheme', 'http'),
        PROTOCOL_VERSION: wsgi.get('SERVER_PROTOCOL', '').rpartition('/')[2],
        LYMPH_HANDLER: work.name,
    }
    if method not in _METHODS:
        attributes[HTTP_METHOD_ORIGINAL] = printable(method, _TEXT)
    route = work.route
    if route is not None:
        attributes[HTTP_ROUTE] = route
    if work.peer:
        attributes[CLIENT_ADDRESS] = work.peer
    agent = wsgi.get('HTTP_USER_AGENT')
    if agent:
        attributes[USER_AGENT] = printable(agent, _TEXT)
    try:
        host = parse_address(wsgi.get('HTTP_HOST', ''))
    except ValueError:
        return attributes
    attributes[SERVER_ADDRESS] = host.host
    if host.port is not None:
        attributes[SERVER_PORT] = host.port
    return attributes


def _answered(span: Span, status: int | None) -> None:
    if status is None:  # a WSGI application, which has not been called yet
        return
    span.set_attribute(HTTP_STATUS, status)
    if status >= 500:
        span.set_attribute(ERROR_TYPE, str(status))
        span.set_status(Status(StatusCode.ERROR))


def _failed(span: Span, work: Work, error: BaseException) -> None:
    status = work.status_of(error)
    if status is not None:
        span.set_attribute(HTTP_STATUS, status)
    if status is None or status >= 500:
        span.set_attribute(ERROR_TYPE, error_name(error))
        span.set_status(Status(StatusCode.ERROR, error_line(error)))
        keep(span, error)
