"""Histograms: how many values were at most 50 us, at most 100 us, and so on up to 60 s.

A histogram yields triples, as each metric does. The counts of the buckets are cumulative, as in
Prometheus:

===============  ===============  ==================================================
name             tags             value
===============  ===============  ==================================================
``name.bucket``  ``le='0.001'``   how many values were at most 0.001; ``+Inf``: all
``name.count``                    how many values there were
``name.sum``                      their sum
===============  ===============  ==================================================

The count of a bucket may have an exemplar: one of the values in it, with its trace id.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from lymph.core.monitoring.metrics import Metric, Sample, Tags

__all__ = ['SECONDS', 'BucketCount', 'Exemplar', 'Histogram', 'quantile', 'summed']

#: upper bounds of the buckets for durations, in seconds
SECONDS: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005),
    *(0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0),
    *(10.0, 30.0, 60.0),
)


class Exemplar(NamedTuple):
    """One of the values of a bucket. `at` is the Unix time at which it was observed."""

    trace_id: str
    value: float
    at: float


class BucketCount(int):
    """The count of a bucket, with an exemplar if it has one."""

    exemplar: Exemplar | None

    def __new__(cls, count: int, exemplar: Exemplar | None = None) -> BucketCount:
        made = super().__new__(cls, count)
        made.exemplar = exemplar
        return made


class Histogram(Metric):
    """Counts values in buckets. `bounds` are their upper bounds, in ascending order.

    Raises ValueError for bounds that are not in ascending order, or none.
    """

    kind = 'histogram'

    def __init__(
        self, name: str, tags: Tags | None = None, bounds: Sequence[float] = SECONDS
    ) -> None:
        super().__init__(name, tags)
        if not bounds or any(a >= b for a, b in pairwise(bounds)):
            raise ValueError(f'{name}: expected bounds in ascending order, found {list(bounds)}')
        self.bounds: Final = tuple(bounds)
        #: how many values were in each bucket alone; the last one has those above all bounds
        self.counts: Final = [0] * (len(self.bounds) + 1)
        self.sum = 0.0
        #: trace id, value and monotonic time of one value in each bucket
        self.exemplars: Final[list[tuple[str, float, float] | None]] = [None] * len(self.counts)

    def observe(self, value: float, trace_id: str | None = None) -> None:
        """Add a value; with a trace id, it becomes the exemplar of its bucket."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        if trace_id is not None:
            self.exemplars[bucket] = trace_id, value, time.monotonic()

    def __iter__(self) -> Iterator[Sample]:
        counts = list(accumulate(self.counts))
        wall = time.time() - time.monotonic()
        for bound, count, exemplar in zip(
            (*self.bounds, float('inf')), counts, list(self.exemplars), strict=True
        ):
            found = None
            if exemplar is not None:
                trace_id, value, at = exemplar
                found = Exemplar(trace_id, value, wall + at)
            text = '+Inf' if bound == float('inf') else f'{bound:.10g}'
            yield f'{self.name}.bucket', BucketCount(count, found), {**self.tags, 'le': text}
        yield f'{self.name}.count', counts[-1], self.tags
        yield f'{self.name}.sum', self.sum, self.tags


def summed(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield samples with those of the same name and tags added up to one.

    A count of a bucket keeps the exemplar that was observed last.
    """
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], int | float] = {}
    for name, value, tags in samples:
        key = name, tuple(sorted(tags.items()))
        known = sums.get(key)
        if known is None:
            sums[key] = value
        elif isinstance(known, BucketCount) and isinstance(value, BucketCount):
            latest = max(known.exemplar, value.exemplar, key=_observed_at)
            sums[key] = BucketCount(known + value, latest)
        else:
            sums[key] = known + value
    for (name, tags_of), value in sums.items():
        yield name, value, dict(tags_of)


def _observed_at(exemplar: Exemplar | None) -> float:
    return 0.0 if exemplar is None else exemplar.at


def quantile(fraction: float, buckets: Sequence[tuple[float, float]]) -> float | None:
    """Return an estimate of a quantile of the values in a histogram; None without values.

    `fraction` is from 0 to 1 (0.99: the 99th percentile). `buckets` are upper bounds and cumulative
    counts, in ascending order, the last bound infinite. Values are taken to be spread evenly in
    their bucket, as Prometheus does; a quantile above all finite bounds is the greatest of them.
    """
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = fraction * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            if bound == float('inf'):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below)
        if bound != float('inf'):
            lower = bound
        below = count
    return lower
