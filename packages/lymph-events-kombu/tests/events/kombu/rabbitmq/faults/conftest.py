"""Events under load while something breaks, and a ledger of what became of them."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.kombu import KombuEventSystem
from lymph.exceptions import EmitFailure
from lymph.testing.contracts.transports import open_descriptors
from lymph.testing.waiting import eventually

PATIENCE = 60.0  # seconds


class Load:
    """Emits numbered events from several greenlets, and counts what is handled."""

    def __init__(
        self, bench: Any, emitter: KombuEventSystem, failures: int = 0, **options: Any
    ) -> None:
        self.bench = bench
        self.emitter = emitter
        self.options = options
        self.emitted: set[int] = set()
        self.failed: set[int] = set()
        self.handled: Counter[int] = Counter()
        self.going_on = True
        self._failures = failures  # of each event's handler, before it succeeds
        self._tried: Counter[int] = Counter()
        self._numbers = iter(range(1_000_000))

    def handle(self, event: Event) -> None:
        n = event.body['n']
        self._tried[n] += 1
        if self._tried[n] <= self._failures:
            raise RuntimeError('not yet')
        self.handled[n] += 1

    def lost(self) -> set[int]:
        """Events whose emit returned and that were never handled."""
        return self.emitted - set(self.handled)

    def repeated(self) -> int:
        """How many times an event was handled once more."""
        return sum(self.handled.values()) - len(self.handled)

    @contextmanager
    def running(self, emitters: int = 8) -> Iterator[None]:
        """Emit while the block runs, then end and wait for what was emitted to be handled."""
        greenlets = [gevent.spawn(self._emit) for _ in range(emitters)]
        self.makes_progress()
        yield
        self.makes_progress()
        self.going_on = False
        gevent.joinall(greenlets, raise_error=True)
        eventually(lambda: not self.lost(), PATIENCE, lambda: f'lost: {sorted(self.lost())}')

    def makes_progress(self) -> None:
        """Wait until more events are emitted, and handled."""
        emitted, handled = len(self.emitted), len(self.handled)
        eventually(lambda: len(self.emitted) > emitted + 20, PATIENCE)
        eventually(lambda: len(self.handled) > handled + 20, PATIENCE)

    def _emit(self) -> None:
        while self.going_on:
            n = next(self._numbers)
            try:
                self.bench.emit(self.emitter, n, **self.options)
            except EmitFailure:
                self.failed.add(n)
            else:
                self.emitted.add(n)
            gevent.sleep(0.002)


@pytest.fixture
def load_of() -> type[Load]:
    """Make loads for any bench."""
    return Load


@pytest.fixture
def make_load(bench: Any) -> Any:
    """Make loads: `make_load(emitter, failures=0, **options)`, options of `emit`."""

    def make_load(emitter: KombuEventSystem, **options: Any) -> Load:
        return Load(bench, emitter, **options)

    return make_load


@pytest.fixture
def nothing_left(rabbitmq_server: Any) -> Iterator[None]:
    """Hold a test to leaving neither greenlets nor file descriptors behind."""

    def counts() -> dict[str, int]:
        gc.collect()
        return {
            'descriptors': open_descriptors(),
            'greenlets': sum(
                isinstance(thing, gevent.Greenlet) and not thing.dead for thing in gc.get_objects()
            ),
        }

    gevent.get_hub().threadpool.apply(counts)
    before = counts()
    yield

    def as_before() -> bool:
        now = counts()
        assert all(now[name] <= before[name] for name in now), (before, now)
        return True

    eventually(as_before, 10)
