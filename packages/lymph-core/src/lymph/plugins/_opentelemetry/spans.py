"""Spans around units of work: begun with the right ids and parents, and current while they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace as traces
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.trace import format_trace_id as format_id

from lymph.core import trace
from lymph.core.interceptors import Work
from lymph.plugins._opentelemetry.ids import trace_id_of, wanted
from lymph.plugins._opentelemetry.names import LYMPH_TRACE_ID

__all__ = ['begin', 'run_in']


def begin(
    tracer: Tracer,
    work: Work,
    name: str,
    kind: SpanKind,
    parent: Context,
    attributes: Mapping[str, Any],
    *,
    links: Callable[[int], Sequence[Link]] | None = None,
    span_id: int = 0,
) -> Span:
    """Begin the span of a unit of work.

    Without a span in `parent` it is the root of the trace of `work`. `links` gets the id of the
    trace. A `span_id` is used instead of a random one.
    """
    found = traces.get_current_span(parent).get_span_context()
    id = work.trace_id or trace.get_id() or trace.new_id()
    trace_id = found.trace_id if found.is_valid else trace_id_of(id)
    added = dict(attributes)
    if format_id(trace_id) != id:
        added[LYMPH_TRACE_ID] = id
    token = wanted.set((trace_id, span_id))
    try:
        return tracer.start_span(
            name, parent, kind, added, links(trace_id) if links is not None else ()
        )
    finally:
        wanted.reset(token)


def run_in(
    span: Span,
    context: Context,
    proceed: Callable[[], Any],
    failed: Callable[[BaseException], None],
) -> Any:
    """Run `proceed` with `span` as the current one, and end the span.

    `failed` notes on the span what `proceed` has raised. `context` has the span.
    """
    token = contexts.attach(context)
    try:
        return proceed()
    except BaseException as error:
        if span.is_recording():
            with suppress(Exception):  # whatever the facts of an error are, it stays the outcome
                failed(error)
        raise
    finally:
        contexts.detach(token)
        span.end()
