"""Carry the trace of a request on to other HTTP servers.

::

    def weather(self, request):
        answer = requests.get(URL, headers=trace_headers(request))
"""

from __future__ import annotations

from werkzeug.wrappers import Request

from lymph.core import trace
from lymph.core._work.environment import TRACE_FIELDS_KEY, TRACEPARENT_KEY
from lymph.web._tracing.context import TraceParent, is_trace_id, parse_tracestate
from lymph.web._tracing.identifying import (
    HEADER_KEY,
    TRACE_HEADER,
    TRACE_KEY,
    new_span_id,
)

__all__ = ['trace_headers']

_MADE_KEY = 'lymph.made_traceparent'  # of a request that came with none


def trace_headers(request: Request) -> dict[str, str]:
    """Return the header fields that make another HTTP request a part of the trace of `request`.

    These are ``X-Trace-Id``, or the name that it was given instead; ``traceparent`` if the trace id
    has the form that W3C Trace Context demands, as those that lymph makes; and the valid
    ``tracestate`` of a request that has come with a valid ``traceparent``. All that is called for
    one request has the same parent. With a tracing plugin, that parent is the current span, and the
    fields are those that the plugin propagates.
    """
    environ = request.environ
    id = environ.get(TRACE_KEY) or trace.get_id() or trace.new_id()
    fields = {environ.get(HEADER_KEY, TRACE_HEADER): id}
    current = environ.get(TRACE_FIELDS_KEY)
    if current is not None:
        return {**fields, **current()}
    parent = environ.get(TRACEPARENT_KEY)
    if parent is None:
        if is_trace_id(id):
            made = environ.setdefault(_MADE_KEY, TraceParent(id, '').follow(new_span_id()))
            fields['traceparent'] = made
        return fields
    fields['traceparent'] = parent
    state = parse_tracestate(environ.get('HTTP_TRACESTATE', ''))
    if state:
        fields['tracestate'] = state
    return fields
