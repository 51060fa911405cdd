"""What is measured: a service with some instances in some registry, and a client that knows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from typing import Any

from gevent.event import AsyncResult

from lymph.client import Client
from lymph.config import Configuration
from lymph.core.services import Change, Service, ServiceInstance
from lymph.discovery.base import RPC

__all__ = ['Changes', 'Lookups', 'Standing', 'Subject']

_PATIENCE = 60.0  # seconds for what takes far less
_BATCH = 1000  # lookups between two looks at the clock


@dataclass(frozen=True)
class Subject:
    """A registry and how many instances the service has in it."""

    registry: str
    instances: int


@dataclass(frozen=True)
class Lookups:
    """Seconds that one takes: looked up before or not; what a call does of it; a whole call."""

    cached: float
    in_call: float
    cold: float
    call: float


@dataclass(frozen=True)
class Changes:
    """Seconds from a container's start to its being found, from `kill -9` to its being gone."""

    found: float
    gone: float


class Standing:
    """Stands ready until `close`; `section` configures the registry."""

    def __init__(self, subject: Subject, section: dict[str, Any]) -> None:
        self.subject = subject
        container = {'registry': section, 'events': {'class': 'null'}, 'rpc': {'timeout': 30}}
        self._config = {'container': container}
        self._owner = _Owner(self._config, subject.instances)
        try:
            self._owner.start()
            self._client = Client.from_config(Configuration(self._config))
        except BaseException:
            self._owner.end()
            raise

    def measure_lookups(self, seconds: float) -> Lookups:
        """Look up and call for `seconds` in each of four ways."""
        registry = self._client.container.registry
        lookup = self._client.container.lookup
        proxy = self._client.proxy('echo')

        def as_a_call_does() -> None:
            service = registry.known('echo')
            assert service is not None
            service.match()

        def cold() -> None:
            registry.forget('echo')
            registry.get('echo')

        cold_seconds = median(_times(cold, seconds))
        self._expect_all(registry.get('echo'))
        return Lookups(
            cached=_mean(lambda: lookup('echo'), seconds),
            in_call=_mean(as_a_call_does, seconds),
            cold=cold_seconds,
            call=median(_times(lambda: proxy.echo(text='x'), seconds)),
        )

    def measure_change(self) -> Changes:
        """Have one more instance come, and kill it."""
        service = self._client.container.registry.get('echo', RPC)
        heard: dict[Change, AsyncResult[float]] = {'added': AsyncResult(), 'removed': AsyncResult()}
        newcomer = _Owner(self._config, 1)

        def hear(change: Change, instance: ServiceInstance) -> None:
            if instance.pid == newcomer.pid:
                heard[change].set(time.monotonic())

        leave = service.observe(hear)
        try:
            began = newcomer.start()
            found = _wait(heard['added']) - began
            killed = time.monotonic()
            newcomer.kill()
            gone = _wait(heard['removed']) - killed
        finally:
            leave()
            newcomer.end()
        self._expect_all(service)
        return Changes(found, gone)

    def close(self) -> None:
        """End the client and the process that owns the instances."""
        self._client.close()
        self._owner.end()

    def _expect_all(self, service: Service) -> None:
        if len(service) != self.subject.instances:
            raise RuntimeError(f'expected {self.subject}, found {service}')


class _Owner:
    """A process of `bench.discovery.owner`, ready to start."""

    def __init__(self, config: dict[str, Any], count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'bench.discovery.owner', json.dumps(config), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._hear()

    def start(self) -> float:
        """Have it start, and return when it began."""
        assert self._process.stdin is not None
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        return float(self._hear())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        self._process.communicate(timeout=_PATIENCE)

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError('an owner of instances ended (see above)')
        return line.strip()


def _wait(moment: AsyncResult[float]) -> float:
    heard = moment.get(timeout=_PATIENCE)
    assert heard is not None
    return heard


def _mean(act: Callable[[], object], seconds: float) -> float:
    """Return how long `act` takes, doing it for `seconds`; for what is too short to be timed."""
    count = 0
    begin = now = time.perf_counter()
    while now - begin < seconds:
        for _ in repeat(None, _BATCH):
            act()
        count += _BATCH
        now = time.perf_counter()
    return (now - begin) / count


def _times(act: Callable[[], object], seconds: float) -> list[float]:
    """Return how long `act` took each time, doing it for `seconds`."""
    times = []
    begin = now = time.perf_counter()
    while now - begin < seconds:
        before = now
        act()
        now = time.perf_counter()
        times.append(now - before)
    return times
