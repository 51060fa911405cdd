"""The metrics of an HTTP interface.

================  ==================  ==============================================================
name              tags                value
================  ==================  ==============================================================
http.answered     interface, status   answers that have begun, without those to health checks
http.duration     interface           a histogram of the seconds until these answers began
http.seconds      interface           the sum of these seconds
http.running      interface           requests that are being answered
http.waiting      interface           requests that wait for a place of `wsgi_pool_size`
http.refused      interface           requests that got 503 because no place was free
http.connections  interface           open connections
================  ==================  ==============================================================
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Protocol

from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import SECONDS, Histogram
from lymph.core.monitoring.metrics import Sample

__all__ = ['AnswerCounts', 'HttpFigures', 'Serving']

describe(
    'http.answered',
    'counter',
    'Answers to HTTP requests that have begun, without those to health checks.',
    tags=('interface', 'status'),
)
describe(
    'http.seconds',
    'counter',
    'Time from the arrival of these requests to the beginning of their answers.',
    unit='seconds',
    tags=('interface',),
)
DURATION: Final = describe(
    'http.duration',
    'histogram',
    'How long these requests took from their arrival to the beginning of their answers.',
    unit='seconds',
    tags=('interface',),
)
describe('http.running', 'gauge', 'Requests that are being answered.', tags=('interface',))
describe(
    'http.waiting',
    'gauge',
    'Requests that wait for a place of `wsgi_pool_size`.',
    tags=('interface',),
)
describe(
    'http.refused',
    'counter',
    'Requests that got 503 because there was no place.',
    tags=('interface',),
)
describe('http.connections', 'gauge', 'Connections of HTTP clients.', tags=('interface',))


class AnswerCounts:
    """Counts the answers of the application of an interface, by status and by duration."""

    __slots__ = ('by_status', 'durations')

    def __init__(self, interface: str) -> None:
        self.by_status: dict[str, int] = {}  # statuses have three digits, so there are few
        self.durations = Histogram(DURATION, {'interface': interface})

    def count(self, status: str, started: float, seconds: float, trace_id: str) -> None:
        """Count an answer with `status` (``200 OK``) that has begun `seconds` after `started`."""
        code = status[:3]
        self.by_status[code] = self.by_status.get(code, 0) + 1
        # as `Histogram.observe` does, without another look at the clock
        durations = self.durations
        bucket = bisect_left(SECONDS, seconds)
        durations.counts[bucket] += 1
        durations.sum += seconds
        durations.exemplars[bucket] = trace_id, seconds, started + seconds


class Serving(Protocol):
    """What the metrics need of a server."""

    @property
    def links(self) -> Collection[Any]:
        """The open connections."""

    @property
    def running(self) -> int:
        """How many requests are being answered."""

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""

    @property
    def refused(self) -> int:
        """How many requests got no place."""


class HttpFigures:
    """The metrics of the interface `name`; `server` returns its server, None unless it runs."""

    def __init__(
        self, name: str, counts: AnswerCounts, server: Callable[[], Serving | None]
    ) -> None:
        self._tags = {'interface': name}
        self._counts = counts
        self._server = server

    def __iter__(self) -> Iterator[Sample]:
        """Yield the metrics."""
        tags = self._tags
        for status, count in self._counts.by_status.copy().items():
            yield 'http.answered', count, {**tags, 'status': status}
        yield 'http.seconds', self._counts.durations.sum, tags
        yield from self._counts.durations
        server = self._server()
        if server is not None:
            yield 'http.running', server.running, tags
            yield 'http.waiting', server.waiting, tags
            yield 'http.refused', server.refused, tags
            yield 'http.connections', len(server.links), tags
