"""Durations in buckets that grow by a fixed factor: any number of them takes the same memory.

Bucket 0 holds durations up to a microsecond, bucket n those up to ``GROWTH ** n`` microseconds, and
the last one everything from about an hour on. A quantile is the upper end of its bucket: never less
than the exact one, and at most 2 % more within that range.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

__all__ = ['GROWTH', 'LEAST', 'MOST', 'Durations', 'Row']

GROWTH: Final = 1.02
LEAST: Final = 1e-6  # seconds
MOST: Final = 3600.0  # seconds
_SCALE: Final = 1 / math.log(GROWTH)
_BUCKETS: Final = math.ceil(math.log(MOST / LEAST) * _SCALE) + 1  # 1113
_ROUNDING: Final = 1e-9  # of a share of a count, which floats do not hold exactly


class Row(NamedTuple):
    """How many calls took longer than those of the row before, and up to `up_to` seconds."""

    up_to: float
    calls: int


class Durations:
    """Counts durations in seconds."""

    __slots__ = ('_buckets', '_least', '_most', '_sum', 'count')

    def __init__(self) -> None:
        self.count = 0
        self._buckets = [0] * _BUCKETS
        self._sum = 0.0
        self._least = math.inf
        self._most = 0.0

    def record(self, seconds: float) -> None:
        """Count one duration."""
        bucket = 0 if seconds <= LEAST else math.ceil(math.log(seconds / LEAST) * _SCALE)
        self._buckets[bucket if bucket < _BUCKETS else _BUCKETS - 1] += 1
        self.count += 1
        self._sum += seconds
        # a load spends its time here: min() and max() would take half of it
        if seconds < self._least:
            self._least = seconds
        if seconds > self._most:
            self._most = seconds

    def add(self, other: Durations) -> None:
        """Count what another histogram has counted."""
        self._buckets = [a + b for a, b in zip(self._buckets, other._buckets, strict=True)]
        self.count += other.count
        self._sum += other._sum
        self._least = min(self._least, other._least)
        self._most = max(self._most, other._most)

    @property
    def least(self) -> float | None:
        """The shortest duration, exactly; None where there is none."""
        return self._least if self.count else None

    @property
    def most(self) -> float | None:
        """The longest duration, exactly."""
        return self._most if self.count else None

    @property
    def mean(self) -> float | None:
        """The mean of all durations."""
        return self._sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return the duration that this share (0 to 1) of all do not exceed (nearest rank)."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count - _ROUNDING))
        for bucket, count in enumerate(self._buckets):
            rank -= count
            if rank <= 0:
                return self._end(bucket)
        return self._most

    def rows(self, most: int) -> list[Row]:
        """Return the buckets from the first to the last that is used, joined into up to `most`."""
        used = [bucket for bucket, count in enumerate(self._buckets) if count]
        if not used:
            return []
        first, last = used[0], used[-1]
        size = math.ceil((last - first + 1) / most)
        return [
            Row(self._end(min(start + size - 1, last)), sum(self._buckets[start : start + size]))
            for start in range(first, last + 1, size)
        ]

    def _end(self, bucket: int) -> float:
        """Return the longest duration that a bucket may hold, and that there was."""
        end = math.inf if bucket == _BUCKETS - 1 else LEAST * GROWTH**bucket
        return max(self._least, min(end, self._most))
