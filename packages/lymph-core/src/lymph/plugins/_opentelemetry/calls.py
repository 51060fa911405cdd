"""Spans of calls: one for a call with all its attempts, one for the request in the service."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace as traces
from opentelemetry.context import create_key, get_value, set_value
from opentelemetry.trace import Span, SpanKind, Tracer, format_trace_id, set_span_in_context

from lymph.core import trace
from lymph.core._calling.figures import ending
from lymph.core._calling.work import CallWork
from lymph.core.interceptors import Work
from lymph.core.transport.endpoints import scheme_of, split_tcp
from lymph.exceptions import RemoteError
from lymph.plugins._opentelemetry.carrying import carried, put
from lymph.plugins._opentelemetry.names import (
    ERROR_TYPE,
    LYMPH_ATTEMPT,
    PEER_ADDRESS,
    PEER_PORT,
    RPC_METHOD,
    RPC_STATUS,
    RPC_SYSTEM,
    SERVER_ADDRESS,
    SERVER_PORT,
)
from lymph.plugins._opentelemetry.outcomes import OK, call_failed, request_failed
from lymph.plugins._opentelemetry.spans import begin, run_in

__all__ = ['CallSpans']

_CALL: Final = create_key('lymph-call')  # the span of the current call, for its attempts


class CallSpans:
    """Makes the spans of calls and requests. `endpoint` returns that of this instance."""

    def __init__(self, tracer: Tracer, endpoint: Callable[[], str | None]) -> None:
        self._tracer = tracer
        self._endpoint = endpoint

    def call(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Make a call: the span covers all its attempts, and is the parent in the service."""
        parent = contexts.get_current()
        self._join(work, traces.get_current_span(parent))
        # the status is replaced if the call fails
        attributes: dict[str, Any] = {RPC_SYSTEM: 'lymph', RPC_METHOD: work.name, RPC_STATUS: OK}
        address = work.address or ''
        if scheme_of(address) is None:
            attributes[SERVER_ADDRESS] = address
        else:
            attributes |= place_of(address, SERVER_ADDRESS, SERVER_PORT)
        span = begin(self._tracer, work, work.name, SpanKind.CLIENT, parent, attributes)
        context = set_value(_CALL, span, set_span_in_context(span, parent))
        put(work.headers, context)
        return run_in(span, context, proceed, partial(call_failed, span))

    def attempt(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Make one attempt of a call; note on its span where it went, and why it failed."""
        span = get_value(_CALL)
        if not isinstance(span, Span) or not span.is_recording():
            return proceed()
        peer = place_of(work.peer or '', PEER_ADDRESS, PEER_PORT)
        span.set_attributes(peer)
        if work.attempt > 1:
            span.set_attribute(LYMPH_ATTEMPT, work.attempt)
        try:
            return proceed()
        except BaseException as error:
            outcome, reason = ending(error)
            if not isinstance(error, RemoteError):
                facts: dict[str, Any] = {**peer, LYMPH_ATTEMPT: work.attempt}
                facts[ERROR_TYPE] = reason or outcome
                span.add_event('lymph.attempt.failed', facts)
            raise

    def request(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Answer a request."""
        parent = carried(work.headers)
        attributes: dict[str, Any] = {
            RPC_SYSTEM: 'lymph',
            RPC_METHOD: work.name,
            RPC_STATUS: OK,  # replaced if it fails
            **place_of(self._endpoint() or '', SERVER_ADDRESS, SERVER_PORT),
            **place_of(work.peer or '', PEER_ADDRESS, PEER_PORT),
        }
        span = begin(self._tracer, work, work.name, SpanKind.SERVER, parent, attributes)
        context = set_span_in_context(span, parent)
        return run_in(span, context, proceed, partial(request_failed, span, work))

    def _join(self, work: Work, current: Span) -> None:
        """Have a call without a trace of its own join that of the program's current span."""
        found = current.get_span_context()
        given = work.options is not None and work.options.trace_id is not None
        if found.is_valid and not given and trace.get_id() is None and isinstance(work, CallWork):
            work.join_trace(format_trace_id(found.trace_id))


@lru_cache(maxsize=1024)  # most calls go to and come from few places
def place_of(endpoint: str, address: str, port: str) -> dict[str, Any]:
    """Return an endpoint as two attributes, or as one if it has no port."""
    if not endpoint:
        return {}
    try:
        host, number = split_tcp(endpoint if '://' in endpoint else f'tcp://{endpoint}')
    except ValueError:
        return {address: endpoint}
    return {address: host, port: number}
