"""Shifts the times of instances whose clocks differ, as far as causes and effects say so.

A call encloses the work of its answer, and an event is handled after its emission has begun. Each
such pair bounds how far the clock of one instance is from that of another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from math import inf

from lymph.core._traces.reading import Told

__all__ = ['shifts']


def shifts(units: Sequence[Told], causes: Sequence[int | None], sources: int) -> list[float]:
    """Return the seconds to add to the times of each source; 0 where nothing contradicts them.

    The clock of the source with the earliest root is taken to be right, and so is that of each
    source that no pair connects with it.
    """
    bounds: dict[int, dict[int, tuple[float, float]]] = {}
    for unit, parent in zip(units, causes, strict=True):
        if parent is None or units[parent].source == unit.source:
            continue
        cause = units[parent]
        low, high = _between(cause, unit)
        _narrow(bounds, cause.source, unit.source, low, high)
        _narrow(bounds, unit.source, cause.source, -high, -low)
    found: list[float | None] = [None] * sources
    for start in _by_first_root(units, causes):
        if found[start] is None:
            found[start] = 0.0
            _spread(start, bounds, found)
    return [shift or 0.0 for shift in found]


def _between(cause: Told, unit: Told) -> tuple[float, float]:
    """Return how much at least and at most has to be added to the times of `unit`."""
    low = cause.started - unit.started
    # a caller that got an answer has waited for the end of the work
    answered = cause.kind == 'call' and cause.ok and unit.duration is not None
    high = cause.ended - unit.ended if answered else inf
    return low, high


def _narrow(
    bounds: dict[int, dict[int, tuple[float, float]]],
    first: int,
    second: int,
    low: float,
    high: float,
) -> None:
    known = bounds.setdefault(first, {}).get(second, (-inf, inf))
    bounds[first][second] = max(low, known[0]), min(high, known[1])


def _spread(
    start: int,
    bounds: dict[int, dict[int, tuple[float, float]]],
    found: list[float | None],
) -> None:
    """Set the shifts of all sources that are connected with `start`, the nearest first."""
    waiting = deque([start])
    while waiting:
        source = waiting.popleft()
        base = found[source] or 0.0
        for other, (low, high) in sorted(bounds.get(source, {}).items()):
            if found[other] is None:
                found[other] = _nearest(base + low, base + high)
                waiting.append(other)


def _nearest(low: float, high: float) -> float:
    """Return 0 if it is within the bounds; else their middle, or the one that there is."""
    if low <= 0.0 <= high:
        return 0.0
    if high == inf:
        return low
    return high if low == -inf else (low + high) / 2


def _by_first_root(units: Sequence[Told], causes: Sequence[int | None]) -> Iterable[int]:
    """Return the sources of roots, the earliest first."""
    roots = [unit for unit, parent in zip(units, causes, strict=True) if parent is None]
    return dict.fromkeys(unit.source for unit in sorted(roots, key=lambda each: each.started))
