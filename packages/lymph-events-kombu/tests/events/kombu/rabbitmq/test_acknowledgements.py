"""Events acknowledged together are those that were handled, in any order."""

from __future__ import annotations

import itertools
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

EVENTS = 6


@pytest.mark.parametrize(
    'turns',
    [
        [{0, 1, 2}],  # all up to one
        [{3, 4}],  # none of the first
        [{5, 0, 2}],  # the first and others
        [{1}, {2}, {0}],  # the first at last
        [{4}, {0, 1}, {2, 3}],  # up to one that was handled before
    ],
    ids=str,
)
def test_only_unhandled_events_are_redelivered(
    proxy: FaultProxy, bench: Any, turns: list[set[int]]
) -> None:
    begun: list[int] = []
    done = [Signal() for _ in range(EVENTS)]

    def handle(event: Event) -> None:
        begun.append(event.body['n'])
        done[event.body['n']].wait()

    system = bench.start(urls=f'amqp://{proxy.address}//', prefetch=EVENTS)
    bench.subscribe(system, handle)
    emitter = bench.start()
    for n in range(EVENTS):
        bench.emit(emitter, n)
    eventually(lambda: len(begun) == EVENTS, 30)
    handled: set[int] = set()
    for turn in turns:
        handled |= turn
        for n in turn:
            done[n].set()
        assert _all_is_sent(system)
    proxy.cut()
    for each in done:
        each.set()
    unhandled = set(range(EVENTS)) - handled
    eventually(lambda: set(itertools.islice(begun, EVENTS, None)) == unhandled, 30)
    assert sorted(begun[EVENTS:]) == sorted(unhandled)


def _all_is_sent(system: Any) -> bool:
    """Whether the broker has read everything that was sent over the channel so far."""
    gevent.sleep(0)  # what is acknowledged in a turn of the loop leaves at its end
    gevent.sleep(0)
    (consumer,) = system._consumers.values()
    return bool(consumer._queue_consumer._channel.confirm())
