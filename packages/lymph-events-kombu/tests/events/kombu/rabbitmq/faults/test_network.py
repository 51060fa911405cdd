"""Five faults of the network for each of four paths of an event: nothing is lost.

The way that is named goes through the faulty network, the other side of it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 60.0
EMITTERS, PREFETCH = 8, 16
_NEAR = {'confirm_timeout': 60, 'prefetch': PREFETCH}


def refused(proxy: FaultProxy, load: Any, link: Any) -> None:
    proxy.refuse()
    proxy.cut()
    eventually(lambda: 'refused' in link.trouble, PATIENCE)


def cut(proxy: FaultProxy, load: Any, link: Any) -> None:
    for _ in range(3):
        proxy.cut()
        load.makes_progress()


def black_hole_to_server(proxy: FaultProxy, load: Any, link: Any) -> None:
    _black_hole(proxy, 'to_server')


def black_hole_to_client(proxy: FaultProxy, load: Any, link: Any) -> None:
    _black_hole(proxy, 'to_client')


def slow(proxy: FaultProxy, load: Any, link: Any) -> None:
    proxy.slow(20_000)
    load.makes_progress()


def _black_hole(proxy: FaultProxy, direction: Any) -> None:
    before = proxy.accepted
    proxy.blackhole(direction)
    # the heartbeats give it up, and it is tried anew
    eventually(lambda: proxy.accepted > before, PATIENCE)


#: way -> (does the emitter go through the network, failures of each handler, delay of each event)
WAYS = {
    'emitter': (True, 0, 0.0),
    'consumer': (False, 0, 0.0),
    'retry': (False, 2, 0.0),
    'delay': (True, 0, 0.2),
}


@pytest.mark.usefixtures('nothing_left')
@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('fault', [refused, cut, black_hole_to_server, black_hole_to_client, slow])
def test_a_fault_loses_nothing_and_repeats_little(
    proxy: FaultProxy, bench: Any, make_load: Any, fault: Callable[..., None], way: str
) -> None:
    emits, failures, delay = WAYS[way]
    far = {**_NEAR, 'urls': f'amqp://{proxy.address}//', 'connect_timeout': 2}
    emitter = bench.start(**(far if emits else _NEAR))
    consumer = bench.start(**(_NEAR if emits else far))
    load = make_load(emitter, emitters=EMITTERS, failures=failures, delay=delay)
    bench.subscribe(consumer, load.handle, retry=20 if failures else 0)
    made = proxy.accepted
    with load.running():
        fault(proxy, load, (emitter if emits else consumer)._emitting)
        proxy.heal()
    assert load.failed == set()
    # What was under way over a connection that broke may come again, and no more than that: an
    # event of each emitter, or what the consumer had and not yet acknowledged or passed on.
    assert load.repeated() <= (proxy.accepted - made) * max(EMITTERS, PREFETCH)
