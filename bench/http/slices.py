"""A slice: `wrk` sends requests over a number of connections, each as soon as it has its answer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import cores
from bench.usage import cpu_seconds

__all__ = ['Load', 'Result', 'measure']

_SCRIPT = Path(__file__).parent / 'wrk.lua'
_US = 1e-6


@dataclass(frozen=True)
class Load:
    """The load to create: so many connections for so many seconds."""

    connections: int
    seconds: int


@dataclass(frozen=True)
class Result:
    """What was measured; times in seconds, that of the processor for all requests together."""

    requests: int
    failed: int
    seconds: float
    p50: float
    p99: float
    server_cpu: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds of the server for one request."""
        return self.server_cpu / max(1, self.requests)


def measure(load: Load, url: str, server: int) -> Result:
    """Measure one slice against `url`; `server` is the first process of the server."""
    words = ['wrk', '--threads=1', f'--connections={load.connections}']
    words += [f'--duration={load.seconds}s', '--latency', f'--script={_SCRIPT}', url]
    before = _cpu(server)
    done = subprocess.run(
        [*cores.on(cores.CLIENT), *words], capture_output=True, text=True, check=True
    )
    cpu = _cpu(server) - before
    figures = next(line for line in done.stdout.splitlines() if line.startswith('figures'))
    requests, duration, p50, p99, failed = map(int, figures.split()[1:])
    return Result(requests, failed, duration * _US, p50 * _US, p99 * _US, cpu)


def _cpu(pid: int) -> float:
    """Return the processor time of a process and of those that it has started, which live on."""
    children = psutil.Process(pid).children(recursive=True)
    return sum(cpu_seconds(each) for each in (pid, *(child.pid for child in children)))
