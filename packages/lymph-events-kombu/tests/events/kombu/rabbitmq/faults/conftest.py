"""Events under load while something breaks, and a ledger of their outcomes."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.kombu import KombuEventSystem
from lymph.testing.contracts.transports import open_descriptors
from lymph.testing.loads import ClosedLoad
from lymph.testing.waiting import eventually


class Load(ClosedLoad):
    """A closed load on the queue of a bench; each event fails `failures` times at first."""

    def __init__(
        self,
        bench: Any,
        emitter: KombuEventSystem,
        failures: int = 0,
        emitters: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(lambda n: bench.emit(emitter, n, **options), emitters=emitters)
        self._failures = failures
        self._tried: Counter[int] = Counter()

    def handle(self, event: Event) -> None:
        n = event.body['n']
        self._tried[n] += 1
        if self._tried[n] <= self._failures:
            raise RuntimeError('not yet')
        super().handle(event)


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
    """Fail a test that leaves greenlets or file descriptors behind."""

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
