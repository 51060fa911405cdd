"""From what an instance has counted to a load: the differences between two of its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf
from typing import Final, NamedTuple

from lymph.core._overview.data import Load, MethodLoad
from lymph.core._overview.samples import InstanceFigures
from lymph.core.monitoring.histograms import quantile

__all__ = [
    'CALLS',
    'EVENTS',
    'HTTP_REQUESTS',
    'Between',
    'Counters',
    'Measured',
    'load_of',
    'method_load',
    'spread',
    'together',
]

Buckets = Mapping[float, float]


class Counters(NamedTuple):
    """The metrics of one kind of work; `ended` may be several counters, which are added up.

    An instance has the work if it has `always`; a counter that it does not yield is 0 then.
    """

    always: str
    ended: tuple[str, ...]
    failed: str
    refused: str
    running: str
    seconds: str
    duration: str


CALLS: Final = Counters(
    'rpc.handled',
    ('rpc.handled', 'rpc.failed'),
    'rpc.failed',
    'rpc.refused',
    'rpc.running',
    'rpc.seconds',
    'rpc.duration',
)
EVENTS: Final = Counters(
    'events.handled',
    ('events.handled', 'events.failed'),
    'events.failed',
    '',
    'events.running',
    'events.seconds',
    'events.duration',
)
HTTP_REQUESTS: Final = Counters(
    'http.seconds',
    ('http.answered',),
    'http.errors',
    'http.refused',
    'http.running',
    'http.seconds',
    'http.duration',
)


class Between(NamedTuple):
    """Two answers of one process, `seconds` apart; `before` is None without an earlier one."""

    before: InstanceFigures | None
    after: InstanceFigures
    seconds: float

    def growth(self, name: str, about: str = '') -> float | None:
        """Return by how much a counter has grown; None if that is not known."""
        if self.before is None or self.seconds <= 0:
            return None
        grown = (self.after.number(name, about) or 0) - (self.before.number(name, about) or 0)
        return grown if grown >= 0 else None

    def rate(self, name: str, about: str = '') -> float | None:
        """Return the growth of a counter per second; None if there is none, or not known."""
        if self.after.number(name, about) is None:
            return None
        grown = self.growth(name, about)
        return None if grown is None else grown / self.seconds

    def buckets(self, name: str, about: str = '') -> dict[float, float] | None:
        """Return by how much each bucket of a histogram alone has grown; None if not known."""
        now = self.after.buckets.get(name, {}).get(about)
        if now is None or self.before is None:
            return None
        then = self.before.buckets.get(name, {}).get(about, {})
        grown: dict[float, float] = {}
        below = 0.0
        for bound in sorted(now):
            count = now[bound] - then.get(bound, 0)
            if count < below:
                return None  # cumulative counts never sink: it has begun again
            grown[bound], below = count - below, count
        return grown


class Measured(NamedTuple):
    """What becomes a `Load`; of several ones, the numbers can be added up."""

    rate: float | None = None
    errors: float | None = None
    refused: float | None = None
    running: float | None = None
    total: float | None = None
    #: work that ended, and the seconds that it took
    ended: float | None = None
    spent: float | None = None
    buckets: Buckets | None = None


def measure(between: Between, kind: Counters, about: str) -> Measured:
    """Return what was done of one method, queue or HTTP interface."""
    after, seconds = between.after, between.seconds
    if after.number(kind.always, about) is None:
        return Measured()
    total = sum(after.number(name, about) or 0 for name in kind.ended)
    growths = [between.growth(name, about) for name in kind.ended]
    ended = None if None in growths else sum(each or 0 for each in growths)
    errors = between.growth(kind.failed, about)
    refused = between.growth(kind.refused, about) if kind.refused else None
    return Measured(
        rate=None if ended is None else ended / seconds,
        errors=None if errors is None else errors / seconds,
        refused=None if refused is None else refused / seconds,
        running=after.number(kind.running, about),
        total=total,
        ended=ended,
        spent=between.growth(kind.seconds, about),
        buckets=between.buckets(kind.duration, about),
    )


def spread(between: Between, kind: Counters) -> dict[str, Measured]:
    """Return what was done, by the names of methods, queues or HTTP interfaces."""
    return {
        about: measure(between, kind, about) for about in between.after.numbers.get(kind.always, {})
    }


def together(parts: Iterable[Measured]) -> Measured:
    """Return the sum of several; what is known of none of them is not known."""
    found = list(parts)

    def total(numbers: Iterable[float | None]) -> float | None:
        known = [number for number in numbers if number is not None]
        return sum(known) if known else None

    counted = [each for each in found if each.ended is not None and each.spent is not None]
    buckets: dict[float, float] = {}
    for each in found:
        for bound, count in (each.buckets or {}).items():
            buckets[bound] = buckets.get(bound, 0) + count
    return Measured(
        total(each.rate for each in found),
        total(each.errors for each in found),
        total(each.refused for each in found),
        total(each.running for each in found),
        total(each.total for each in found),
        total(each.ended for each in counted),
        total(each.spent for each in counted),
        buckets if any(each.buckets is not None for each in found) else None,
    )


def load_of(measured: Measured) -> Load:
    """Return the load."""
    rate, errors, spent = measured.rate, measured.errors, measured.spent
    return Load(
        rate=rate,
        errors=errors,
        error_share=min(errors / rate, 1.0) if rate and errors is not None else None,
        refused=measured.refused,
        running=_whole(measured.running),
        mean=spent / measured.ended if measured.ended and spent is not None else None,
        p50=within(0.5, measured.buckets),
        p99=within(0.99, measured.buckets),
        total=_whole(measured.total),
    )


def method_load(name: str, measured: Measured) -> MethodLoad:
    """Return the load with its buckets."""
    buckets = sorted((measured.buckets or {}).items())
    return MethodLoad(
        name,
        load_of(measured),
        tuple((None if bound == inf else bound, int(count)) for bound, count in buckets),
    )


def within(fraction: float, buckets: Buckets | None) -> float | None:
    """Return a quantile of what is in the buckets, None without."""
    bounds = sorted(buckets or {})
    counts = accumulate((buckets or {})[bound] for bound in bounds)
    return quantile(fraction, list(zip(bounds, counts, strict=True)))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
