"""Makes one tree of the entries of many instances. Nothing here waits or asks anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lymph.core._traces.clocks import shifts
from lymph.core._traces.data import Trace, TraceOutcome, TraceSource, TraceUnit
from lymph.core._traces.linking import causes, missing
from lymph.core._traces.reading import Told

__all__ = ['merge']


def merge(trace_id: str, told: Sequence[Told], sources: Sequence[TraceSource]) -> Trace:
    """Return the trace; `told` are the entries of all sources, by their numbers in `sources`."""
    parents = causes(told)
    added = shifts(told, parents, len(sources))
    told = [each._replace(started=each.started + added[each.source]) for each in told]
    units = tuple(_tree(told, parents, sources))
    if not units:
        return Trace(trace_id, sources=_named(sources, added))
    first = min(unit.started for unit in units)
    return Trace(
        trace_id,
        _outcome(next(unit for unit in units if unit.parent is None)),
        first,
        max(each.ended for each in told) - first,
        sum(unit.ok is False for unit in units),
        sum(unit.ok is None for unit in units),
        units,
        _named(sources, added),
        sum(source.left_out for source in sources),
    )


def _tree(
    told: Sequence[Told], parents: Sequence[int | None], sources: Sequence[TraceSource]
) -> Iterator[TraceUnit]:
    """Yield all units, each one followed by those that it caused."""
    below: dict[int | None, list[int]] = {}
    for index in sorted(range(len(told)), key=lambda each: (told[each].started, each)):
        below.setdefault(parents[index], []).append(index)
    first = min((each.started for each in told), default=0.0)
    places: dict[int, int] = {}  # of the units that were yielded
    # no recursion: a chain of calls may be longer than Python's stack
    waiting = [(index, 0) for index in reversed(below.get(None, ()))]
    while waiting:
        index, depth = waiting.pop()
        places[index] = len(places)
        unit, parent = told[index], parents[index]
        source = sources[unit.source]
        yield TraceUnit(
            f'{source.identity}/{index}',
            unit.kind,
            unit.name,
            source.service,
            source.identity,
            unit.peer,
            unit.started,
            unit.started - first,
            unit.duration,
            unit.outcome,
            unit.ok,
            unit.attempt,
            depth,
            None if parent is None else places[parent],
            missing(unit) if parent is None else '',
        )
        waiting += [(each, depth + 1) for each in reversed(below.get(index, ()))]


def _named(sources: Sequence[TraceSource], added: Sequence[float]) -> tuple[TraceSource, ...]:
    shifted = [replace(source, shift=shift) for source, shift in zip(sources, added, strict=True)]
    return tuple(sorted(shifted, key=lambda each: (each.service, each.identity, each.endpoint)))


def _outcome(root: TraceUnit) -> TraceOutcome:
    if root.ok is None:
        return 'running'
    return 'ok' if root.ok else 'failed'
