"""A process that emits or handles events as it is told.

    python -m bench.events.backlog_process CONFIG SIDE

It does one command after another: a line of standard input holds a name and keywords as JSON, the
answer is a line of standard output. It ends with its standard input. CONFIG is a configuration as
JSON; SIDE is the core to run on (see `bench.cores`), or `any`.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent

from bench import cores
from bench.usage import cpu_seconds, resident_bytes
from lymph import monkey
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.testing.waiting import eventually

__all__ = ['main']

_PATIENCE = 600.0  # seconds for what takes far less


class _Side:
    """One side of the measurement; every public method is a command."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._subscriptions: dict[str, Subscription] = {}
        self._handled = 0
        self._first = 0.0
        self._delays: list[float] = []

    def emit(self, type: str, count: int, emitters: int, spread: float = 0) -> dict[str, float]:
        """Emit `count` events by so many greenlets, delayed by up to `spread` seconds."""
        numbers = iter(range(count))

        def run() -> None:
            for n in numbers:
                delay = random.uniform(0.001, spread) if spread else 0.0
                self._client.container.emit_event(type, {'n': n, 'text': 'x' * 100}, delay=delay)

        cpu, begin = cpu_seconds(os.getpid()), time.monotonic()
        gevent.joinall([gevent.spawn(run) for _ in range(emitters)], raise_error=True)
        return {
            'began': begin,
            'seconds': time.monotonic() - begin,
            'cpu': cpu_seconds(os.getpid()) - cpu,
            'resident': resident_bytes(os.getpid()),
        }

    def pace(self, type: str, rate: float, count: int) -> list[float]:
        """Emit `rate` events a second that tell when; returns how long each `emit` took."""
        took: list[float] = []

        def run() -> None:
            at = time.monotonic()
            self._client.container.emit_event(type, {'at': at, 'text': 'x' * 100})
            took.append(time.monotonic() - at)

        begin = time.monotonic()
        jobs = []
        for n in range(count):
            gevent.sleep(max(begin + n / rate - time.monotonic(), 0))
            jobs.append(gevent.spawn(run))
        gevent.joinall(jobs, raise_error=True)
        return took

    def declare(self, queues: Sequence[tuple[str, str]]) -> None:
        """Make queues that nobody consumes; each is a name and a topic."""
        for queue, topic in queues:
            self._client.container.events.declare(Subscription(queue, (topic,), self._handle))

    def subscribe(self, queues: Sequence[tuple[str, str]]) -> float:
        """Consume queues; returns how many seconds that took."""
        begin = time.monotonic()
        for queue, topic in queues:
            subscription = Subscription(queue, (topic,), self._handle)
            self._subscriptions[queue] = subscription
            self._client.container.events.subscribe(subscription)
        return time.monotonic() - begin

    def drain(self, queue: str, topic: str, count: int) -> dict[str, float]:
        """Consume a queue until `count` events are handled; a few more may be by then."""
        begin, before = time.monotonic(), cpu_seconds(os.getpid())
        self.subscribe([(queue, topic)])
        eventually(lambda: self._handled >= count, _PATIENCE)
        end = time.monotonic()
        answer = {
            'first': self._first - begin,
            'seconds': end - begin,
            'cpu': cpu_seconds(os.getpid()) - before,
            'resident': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        self._unsubscribe()
        answer['handled'] = self._handled
        self._handled, self._first = 0, 0.0
        return answer

    def until(self, count: int) -> float:
        """Wait until `count` events are handled since the last time; returns when that was."""
        eventually(lambda: self._handled >= count, _PATIENCE)
        self._handled = 0
        return time.monotonic()

    def delays(self, count: int) -> list[float]:
        """Wait for `count` paced events; returns the seconds from emit to handler of each."""
        eventually(lambda: len(self._delays) >= count, _PATIENCE)
        answer, self._delays = self._delays, []
        return answer

    def usage(self) -> dict[str, float]:
        """Return the processor time so far in seconds, and the resident memory in bytes."""
        return {'cpu': cpu_seconds(os.getpid()), 'resident': resident_bytes(os.getpid())}

    def _unsubscribe(self) -> None:
        for subscription in self._subscriptions.values():
            self._client.container.events.unsubscribe(subscription)
        self._subscriptions.clear()

    def _handle(self, event: Event) -> None:
        self._handled += 1
        if self._handled == 1:
            self._first = time.monotonic()
        at = event.body.get('at')
        if at is not None:
            self._delays.append(time.monotonic() - at)


def main(config: str, side: str) -> None:
    """Do what standard input says until it ends."""
    monkey.patch()
    if side in (cores.SERVER, cores.CLIENT):
        cores.pin(side)
    with Client.from_config(Configuration(json.loads(config))) as client:
        one = _Side(client)
        _say(None)
        while line := gevent.get_hub().threadpool.apply(sys.stdin.readline):
            name, keywords = json.loads(line)
            command: Callable[..., Any] = getattr(one, name)
            _say(command(**keywords))


def _say(value: object) -> None:
    sys.stdout.write(f'{json.dumps(value)}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main(*sys.argv[1:])
