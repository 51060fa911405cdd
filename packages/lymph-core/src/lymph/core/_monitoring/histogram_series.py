"""One series of a histogram: its buckets, its count and its sum, taken one by one and checked."""

from __future__ import annotations

import math
from itertools import pairwise

from lymph.config.printable import quoted
from lymph.core.monitoring.histograms import BucketCount, Exemplar

__all__ = ['HistogramSeries']

_LARGEST = 2**63  # of a count; Prometheus keeps 64 bits


class HistogramSeries:
    """Takes the samples of a histogram with the same tags."""

    def __init__(self) -> None:
        self._buckets: dict[float, tuple[int, Exemplar | None]] = {}
        self._count: int | float | None = None
        self._sum: float | None = None

    @property
    def buckets(self) -> list[tuple[float, int, Exemplar | None]]:
        """Upper bounds, cumulative counts and exemplars, in ascending order."""
        return [(bound, *self._buckets[bound]) for bound in sorted(self._buckets)]

    @property
    def sum(self) -> float | None:
        """The sum of the values; None if it is unknown, or may go down."""
        if self._sum is None or not 0 <= self._sum < math.inf or min(self._buckets) < 0:
            return None
        return self._sum

    def add(self, part: str, le: str, value: int | float) -> str:
        """Add a sample; return why it is left out, an empty text if it is not.

        `part` is ``bucket``, ``count`` or ``sum``; `le` is the upper bound of a bucket.
        """
        if part == 'bucket':
            return self._add_bucket(le, value)
        if (self._count if part == 'count' else self._sum) is not None:
            return 'a series with the same tags was there before'
        if part == 'count':
            self._count = value
        else:
            try:
                self._sum = float(value)
            except OverflowError:
                return f'expected a smaller number, found {quoted(value)}'
        return ''

    def fault(self) -> str:
        """Return why the whole series is invalid, an empty text if it is not."""
        counts = [count for _, count, _ in self.buckets]
        if math.inf not in self._buckets:
            return 'expected a bucket without an upper bound (le="+Inf"), found none'
        if any(lower > upper for lower, upper in pairwise(counts)):
            return f'expected counts of buckets that only go up, found {quoted(counts)}'
        if self._count is not None and self._count != counts[-1]:
            found = f'found {quoted(self._count)} and {counts[-1]}'
            return f'expected the same count as in the last bucket, {found}'
        return ''

    def _add_bucket(self, le: str, value: int | float) -> str:
        try:
            bound = float(le)
        except ValueError:
            return f'expected a number as the upper bound of a bucket, found {quoted(le)}'
        if math.isnan(bound) or bound == -math.inf:
            return f'expected a number as the upper bound of a bucket, found {quoted(le)}'
        if bound in self._buckets:
            return 'a series with the same tags was there before'
        if not 0 <= value < _LARGEST or value != int(value):
            return f'expected a whole number in a bucket, found {quoted(value)}'
        exemplar = value.exemplar if isinstance(value, BucketCount) else None
        self._buckets[bound] = int(value), exemplar
        return ''
