"""Spans of events and tasks: when they are emitted, and for each attempt to handle them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace as traces
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    format_trace_id,
    set_span_in_context,
)

from lymph.core._calling.emission import EmitWork
from lymph.core.events import Event
from lymph.core.interceptors import Work
from lymph.plugins._opentelemetry.carrying import carried, put
from lymph.plugins._opentelemetry.ids import attempt_span_id
from lymph.plugins._opentelemetry.names import (
    LYMPH_ATTEMPT,
    LYMPH_EVENT_ID,
    LYMPH_EVENT_TYPE,
    LYMPH_HANDLER,
    MESSAGING_DESTINATION,
    MESSAGING_ID,
    MESSAGING_OPERATION,
    MESSAGING_SYSTEM,
    MESSAGING_TYPE,
)
from lymph.plugins._opentelemetry.outcomes import handling_failed
from lymph.plugins._opentelemetry.spans import begin, run_in

__all__ = ['EventSpans']

_LINKS: Final = 10  # to earlier attempts, the last ones


class EventSpans:
    """Makes the spans of events and tasks; `messaging`: also with attributes in development.

    `identity` is that of this instance.
    """

    def __init__(self, tracer: Tracer, identity: str, messaging: bool) -> None:
        self._tracer = tracer
        self._identity = identity
        self._messaging = messaging

    def emit(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Emit an event: the span is the parent of all attempts to handle it."""
        event = _event_of(work)
        parent = contexts.get_current()
        current = traces.get_current_span(parent).get_span_context()
        if current.is_valid and isinstance(work, EmitWork) and not work.traced:
            work.join_trace(format_trace_id(current.trace_id))
        attributes = self._attributes(event, 'send', event.type)
        name = f'send {event.type}'
        span = begin(self._tracer, work, name, SpanKind.PRODUCER, parent, attributes)
        context = set_span_in_context(span, parent)
        put(work.headers, context)
        return run_in(span, context, proceed, partial(handling_failed, span))

    def handle(self, work: Work, proceed: Callable[[], Any]) -> Any:
        """Make one attempt to handle an event or to run a task.

        Its parent is the span that emitted the event; it has links to the attempts before it.
        """
        event = _event_of(work)
        queue = work.queue or work.name
        parent = carried(event.headers)
        flags = traces.get_current_span(parent).get_span_context().trace_flags
        attributes = {
            **self._attributes(event, 'process', queue),
            LYMPH_HANDLER: work.name,
            LYMPH_ATTEMPT: work.attempt,
        }
        owner = self._identity if work.broadcast else ''

        def attempt(number: int) -> int:
            return attempt_span_id(event.id, queue, owner, number)

        def links(trace_id: int) -> Sequence[Link]:
            first = max(1, work.attempt - _LINKS)
            return [
                Link(
                    SpanContext(trace_id, attempt(number), True, TraceFlags(flags)),
                    {LYMPH_ATTEMPT: number},
                )
                for number in range(first, work.attempt)
            ]

        span = begin(
            self._tracer,
            work,
            f'process {queue}',
            SpanKind.CONSUMER,
            parent,
            attributes,
            links=links,
            span_id=attempt(work.attempt),
        )
        context = set_span_in_context(span, parent)
        return run_in(span, context, proceed, partial(handling_failed, span))

    def _attributes(self, event: Event, operation: str, destination: str) -> dict[str, Any]:
        attributes = {LYMPH_EVENT_TYPE: event.type, LYMPH_EVENT_ID: event.id}
        if self._messaging:
            attributes |= {
                MESSAGING_SYSTEM: 'lymph',
                MESSAGING_OPERATION: operation,
                MESSAGING_TYPE: operation,
                MESSAGING_DESTINATION: destination,
                MESSAGING_ID: event.id,
            }
        return attributes


def _event_of(work: Work) -> Event:
    event = work.event
    assert event is not None  # work of these kinds has one
    return event
