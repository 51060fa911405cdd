"""Events that have to wait for a worker do not use up the time that the broker gives handlers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.testing.waiting import eventually

_TIMEOUT = 2.0  # seconds for an acknowledgement
_WORK = 0.8  # seconds of a handler: one fits, three in a row do not


def set_consumer_timeout(bench: Any, timeout: float, tick: float) -> None:
    """Set how long the broker waits, and how often it checks, in channels opened from now on."""
    text = ', '.join(
        f'application:set_env(rabbit, {key}, {int(value * 1000)})'
        for key, value in (('consumer_timeout', timeout), ('channel_tick_interval', tick))
    )
    gevent.get_hub().threadpool.apply(bench.server.control, ('eval', f'{text}.'))


@pytest.fixture
def impatient(bench: Any) -> Iterator[Callable[[float], None]]:
    """Shorten the broker's consumer timeout; restored afterwards."""
    yield lambda timeout: set_consumer_timeout(bench, timeout, 0.1)
    set_consumer_timeout(bench, 1800, 60)


@pytest.mark.parametrize(
    ('queue_type', 'options'),
    [
        ('quorum', {}),
        ('classic', {}),
        ('quorum', {'sequential': True, 'exclusive': True}),
    ],
)
def test_three_slow_handlers_with_one_worker_are_each_called_once(
    bench: Any, impatient: Callable[[float], None], queue_type: str, options: dict[str, Any]
) -> None:
    impatient(_TIMEOUT)
    handled: list[tuple[str, int]] = []

    def handle(event: Event) -> None:
        gevent.sleep(_WORK)
        handled.append((event.type, event.attempt))

    subscriptions = [
        Subscription(f'{bench.name}-{n}', (f'{bench.name}.{n}',), handle, **options)
        for n in range(3)
    ]
    system = bench.start(prefetch=1, queue_type=queue_type, exchange=bench.name)
    for subscription in subscriptions:
        system.declare(subscription)
        for topic in subscription.event_types:
            system.emit(Event(topic))
    for subscription in subscriptions:
        system.subscribe(subscription)
    eventually(lambda: len(handled) >= 3, 20)
    # and then the broker sends by itself again
    system.emit(Event(f'{bench.name}.1'))
    eventually(lambda: len(handled) >= 4, 20)
    bench.stop(system)
    counts = Counter(handled)
    assert counts == {(f'{bench.name}.{n}', 1): 1 + (n == 1) for n in range(3)}


def test_handler_that_exceeds_the_consumer_timeout_is_named_in_the_log(
    bench: Any, impatient: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    impatient(0.5)
    attempts: list[int] = []
    go_on = Signal()

    def handle(event: Event) -> None:
        attempts.append(event.attempt)
        if event.attempt == 1:
            go_on.wait()

    system = bench.start(prefetch=1)
    bench.subscribe(system, handle)
    with caplog.at_level(logging.WARNING):
        event = bench.emit(system)
        eventually(lambda: 'consumer_timeout' in caplog.text, 20)
        go_on.set()
        eventually(lambda: attempts == [1, 2], 20)
    lines = [record.getMessage() for record in caplog.records if event.id in record.getMessage()]
    assert 'raise consumer_timeout' in lines[0]
    assert 'its acknowledgement comes too late' in lines[1]
