"""A slice: callers that call one after another for a short while, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.driving.calling import Tally
from bench.figures import percentile
from bench.usage import cpu_seconds

__all__ = ['Drive', 'Result', 'Slice', 'measure']

Drive = Callable[[Any, str, float, Tally, int], None]


@dataclass(frozen=True)
class Slice:
    """What is to be done: `callers` at once, `size` bytes of text in each call and each reply."""

    callers: int
    size: int
    seconds: float
    warm_up: float


@dataclass(frozen=True)
class Result:
    """What was measured; times in seconds, those of the processor for all calls together."""

    calls: int
    failed: int
    seconds: float
    p50: float
    p99: float
    client_cpu: float
    server_cpu: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def client_cost(self) -> float:
        """Processor seconds of the client for one call."""
        return self.client_cpu / max(1, self.calls)

    @property
    def server_cost(self) -> float:
        """Processor seconds of the server for one call."""
        return self.server_cpu / max(1, self.calls)

    @property
    def cost(self) -> float:
        """Processor seconds of both sides for one call."""
        return self.client_cost + self.server_cost


def measure(order: Slice, drive: Drive, call: Any, server: int) -> Result:
    """Do a slice after its warm-up; the processor time of the process `server` counts too."""
    text = 'x' * order.size
    drive(call, text, time.perf_counter() + order.warm_up, Tally(), order.callers)
    tally = Tally()
    client_cpu, server_cpu = time.process_time(), cpu_seconds(server)
    begin = time.perf_counter()
    drive(call, text, begin + order.seconds, tally, order.callers)
    seconds = time.perf_counter() - begin
    client_cpu, server_cpu = time.process_time() - client_cpu, cpu_seconds(server) - server_cpu
    latencies = sorted(tally.latencies)
    return Result(
        calls=len(latencies),
        failed=tally.failed,
        seconds=seconds,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        client_cpu=client_cpu,
        server_cpu=server_cpu,
    )
