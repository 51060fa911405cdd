"""A slice: emitters that emit for a short while, and what came of it on both sides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.driving.calling import Tally, moments
from bench.figures import percentile

__all__ = ['Emitted', 'Received', 'Result', 'Slice', 'emit_slice']

_TEXT = 'x' * 32


@dataclass(frozen=True)
class Slice:
    """What is to be done: `emitters` at once for `seconds`.

    Each emits one event after another, or all together `rate` events a second.
    """

    emitters: int
    seconds: float
    rate: float | None = None


@dataclass(frozen=True)
class Emitted:
    """What the emitters did; times in seconds, `began` by the clock that all processes share."""

    emitted: int
    failed: int
    began: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Received:
    """What the handler did: `last` is when the last event arrived, delays are from the emit on."""

    handled: int
    last: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Result:
    """What was measured; times in seconds, those of the processors for all events together."""

    emitted: Emitted
    received: Received
    emitter_cpu: float
    handler_cpu: float
    broker_cpu: float

    @property
    def failed(self) -> int:
        """Events that could not be emitted."""
        return self.emitted.failed

    @property
    def rate(self) -> float:
        """Events handled a second, from the first emit to the last event's arrival."""
        return self.received.handled / (self.received.last - self.emitted.began)

    @property
    def emit_p50(self) -> float:
        """Seconds of an emit, its confirm included."""
        return self.emitted.p50

    @property
    def emit_p99(self) -> float:
        """Seconds of an emit, its confirm included."""
        return self.emitted.p99

    @property
    def delay_p50(self) -> float:
        """Seconds from the beginning of the emit to the handler."""
        return self.received.p50

    @property
    def delay_p99(self) -> float:
        """Seconds from the beginning of the emit to the handler."""
        return self.received.p99

    @property
    def emitter_cost(self) -> float:
        """Processor seconds of the emitting process for one event."""
        return self.emitter_cpu / max(1, self.received.handled)

    @property
    def handler_cost(self) -> float:
        """Processor seconds of the handling process for one event."""
        return self.handler_cpu / max(1, self.received.handled)

    @property
    def broker_cost(self) -> float:
        """Processor seconds of the broker for one event."""
        return self.broker_cpu / max(1, self.received.handled)

    @property
    def cost(self) -> float:
        """Processor seconds of both sides for one event."""
        return self.emitter_cost + self.handler_cost


def emit_slice(order: Slice, driving: Any, emit: Callable[[dict[str, Any]], Any]) -> Emitted:
    """Emit, with a module of `bench.driving`."""
    clock = time.monotonic
    tally = Tally()

    def call(text: str) -> Any:
        return emit({'kind': 'order', 'count': 3, 'text': text, 'at': clock()})

    began, start = clock(), time.perf_counter()
    stop = start + order.seconds
    if order.rate is None:
        driving.drive(call, _TEXT, stop, tally, order.emitters)
    else:
        schedules = moments(start, stop, order.rate, order.emitters)
        driving.pace(call, _TEXT, schedules, tally)
    latencies = sorted(tally.latencies)
    return Emitted(
        emitted=len(latencies),
        failed=tally.failed,
        began=began,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
    )
