"""What happened to one trace, across all instances, without a collector.

Every instance keeps its last units of work: the calls that it made and answered, its events, tasks
and HTTP requests (`container.trace.keep`, 2,000 by default). `find_trace` asks all of them::

    trace = find_trace(container, 'b7ad6b7169203331a5f2a4c01d3ef2b1')
    for unit in trace.units:
        print('  ' * unit.depth, unit.kind, unit.name, unit.service, unit.duration, unit.outcome)

`latest_traces` returns the traces that started last::

    for summary in latest_traces(container, limit=20).traces:
        print(summary.trace_id, summary.name, summary.duration, summary.outcome)

`container` is a running container or the one of a client (`Client.container`). Both functions wait,
about as long as the slowest instance or `timeout` seconds, and then name the instances that have
not answered in `sources`. `lymph.serializers.json:plain` makes JSON of what they return. Whatever
an instance tells is checked; names and outcomes are bounded, but may have unprintable characters
(`lymph.config.printable`).
"""

from __future__ import annotations

from lymph.core import trace
from lymph.core._traces.asking import Asker, TraceAnswer, ask, find_endpoints, unique
from lymph.core._traces.data import (
    LatestTraces,
    Trace,
    TraceOutcome,
    TraceSource,
    TraceSummary,
    TraceUnit,
)
from lymph.core._traces.latest import newest, summaries
from lymph.core._traces.merging import merge
from lymph.core._traces.reading import Told, read_entries, read_number, read_text

__all__ = [
    'LatestTraces',
    'Trace',
    'TraceOutcome',
    'TraceSource',
    'TraceSummary',
    'TraceUnit',
    'find_trace',
    'latest_traces',
]


def find_trace(container: Asker, trace_id: str, timeout: float = 1.0) -> Trace:
    """Return all that the instances know of a trace; they are asked at the same time.

    Each has `timeout` seconds to answer, all of them ten times as long. The `outcome` is
    ``unknown`` if none knows the trace: nothing with this id has happened, or the units of work
    that came later have taken the place of its own. Raises ValueError for an invalid id,
    LookupFailure when the registry does not answer.
    """
    trace.check_id(trace_id)
    endpoints = find_endpoints(container.registry)
    told: list[Told] = []
    sources: list[TraceSource] = []
    for asked in unique(ask(container, endpoints, 'lymph.trace', {'id': trace_id}, timeout)):
        entries, left_out = read_entries(asked.answer, len(sources))
        told += entries
        sources.append(_source(asked, len(entries), left_out))
    return merge(trace_id, told, sources)


def latest_traces(
    container: Asker,
    limit: int = 20,
    *,
    failed: bool = False,
    slow: float = 0.0,
    timeout: float = 1.0,
) -> LatestTraces:
    """Return the traces that started last, at most `limit` (up to 200), the newest first.

    With `failed`, only those in which something failed; with `slow`, those in which one unit of
    work took so many seconds. Traces that only asked the built-in interface are left out. All
    instances are asked twice at most, each for `timeout` seconds. Raises LookupFailure when the
    registry does not answer.
    """
    limit = max(1, min(limit, 200))
    endpoints = find_endpoints(container.registry)
    body = {'limit': limit, 'failed': failed, 'slow': slow}
    first = unique(ask(container, endpoints, 'lymph.recent', body, timeout))
    ids = newest([(each.services, each.answer) for each in first], limit)
    sources = [_source(each, 0, 0) for each in first]
    if not ids:
        return LatestTraces((), tuple(sources))
    # Others may know more of these traces than what they have told.
    answering = {each.endpoint: endpoints[each.endpoint] for each in first if not each.problem}
    second = ask(container, answering, 'lymph.recent', {'limit': limit, 'ids': ids}, timeout)
    # one that does not answer again has answered before
    best = {each.endpoint: each for each in (*first, *second) if not each.problem}
    answers = [(each.services, each.answer) for each in best.values()]
    return LatestTraces(tuple(summaries(answers)[:limit]), tuple(sources))


def _source(asked: TraceAnswer, units: int, left_out: int) -> TraceSource:
    keep = read_number(asked.answer, 'keep')
    return TraceSource(
        asked.services,
        read_text(asked.answer, 'identity') or '',
        asked.endpoint,
        units,
        left_out,
        None if keep is None else int(keep),
        read_number(asked.answer, 'since'),
        problem=asked.problem,
    )
