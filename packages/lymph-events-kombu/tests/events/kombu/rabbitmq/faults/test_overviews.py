"""An overview while the broker is reached, while it is not, and while it says nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lymph.client import Client
from lymph.core.monitoring.overview import Overview, Snapshot
from lymph.discovery.static import StaticServiceRegistry
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.fixture
def client(bench: Any, proxy: FaultProxy) -> Iterator[Client]:
    """A client whose broker is behind the proxy."""
    events = bench.make(urls=f'amqp://guest:guest@{proxy.address}')
    with Client.from_config(registry=StaticServiceRegistry(), events=events) as client:
        yield client


def queue(snapshot: Snapshot, name: str) -> Any:
    return next((each for each in snapshot.queues if each.queue == name), None)


def test_queues_and_the_state_of_the_broker(bench: Any, client: Client, proxy: FaultProxy) -> None:
    emitter = bench.start()
    bench.unsubscribed_queue(emitter)
    for n in range(3):
        bench.emit(emitter, n)
    with Overview(client.container) as overview:
        eventually(lambda: queue(overview.poll(), bench.name).waiting == 3, PATIENCE)
        snapshot = overview.poll()
        assert snapshot.broker.connected is True
        assert snapshot.problems == {}

        proxy.refuse()
        proxy.cut()
        eventually(lambda: overview.poll().broker.connected is False, PATIENCE)
        snapshot = overview.poll()
        assert snapshot.broker.reason
        assert snapshot.broker.since is not None
        # the last known state is shown
        assert queue(snapshot, bench.name).waiting == 3

        proxy.heal()
        eventually(lambda: overview.poll().broker.connected is True, PATIENCE)
        eventually(lambda: overview.poll().problems == {}, PATIENCE)


def test_a_broker_that_says_nothing_delays_one_poll(
    bench: Any, client: Client, proxy: FaultProxy
) -> None:
    with Overview(client.container) as overview:
        overview.poll()
        proxy.blackhole()
        overview.poll()
        began = time.monotonic()
        for _ in range(10):
            overview.poll()
        # the one that waits does so for a second
        assert time.monotonic() - began < 5
        proxy.heal()


def test_a_broker_that_is_away_from_the_start_is_a_problem(
    client: Client, proxy: FaultProxy
) -> None:
    proxy.refuse()
    with Overview(client.container) as overview:
        snapshot = eventually(
            lambda: (found := overview.poll()).problems.get('queues') and found, PATIENCE
        )
        assert snapshot.broker.connected is False
        assert snapshot.broker.reason
        proxy.heal()
        eventually(lambda: overview.poll().broker.connected, PATIENCE)
