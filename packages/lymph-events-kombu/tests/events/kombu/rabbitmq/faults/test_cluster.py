"""Three brokers, of which some are killed: emitted events are handled, and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.exceptions import EmitFailure
from lymph.testing.servers import RabbitmqCluster
from lymph.testing.waiting import eventually

PATIENCE = 60.0
EMITTERS, PREFETCH = 8, 16
IN_FLIGHT = 32  # events that are emitted and not yet handled


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: Any) -> Iterator[RabbitmqCluster]:
    with RabbitmqCluster(folder=tmp_path_factory.mktemp('cluster')) as cluster:
        yield cluster


@pytest.fixture
def bench(cluster: RabbitmqCluster, make_bench: Callable[..., Any]) -> Any:
    """Its systems connect to the second server first; the queue of `subscribe` is at the first."""
    first, *others = cluster.urls
    bench = make_bench(cluster, [*others, first])
    declaring = bench.start(urls=first)
    bench.unsubscribed_queue(declaring)
    bench.stop(declaring)
    return bench


@pytest.fixture
def killed(
    cluster: RabbitmqCluster, in_thread: Callable[..., Any]
) -> Iterator[Callable[..., None]]:
    """Kill servers of the cluster; they are started again in the end."""

    def killed(*servers: Any) -> None:
        for server in servers:
            in_thread(server.kill)

    yield killed
    in_thread(cluster.start)


def test_killed_leader_of_a_queue_loses_nothing(
    bench: Any, load_of: Any, cluster: Any, killed: Any, in_thread: Callable[..., Any]
) -> None:
    load = load_of(bench, bench.start(confirm_timeout=60), emitters=EMITTERS)
    bench.subscribe(bench.start(prefetch=PREFETCH), load.handle)
    leader = cluster.leader_of(bench.name)
    assert leader is cluster.servers[0]
    with load.running():
        killed(leader)
        load.makes_progress()
        in_thread(cluster.start)
    assert load.failed == set()
    assert load.repeated() <= EMITTERS + PREFETCH


def test_killed_server_with_all_connections_loses_nothing(
    bench: Any, load_of: Any, cluster: Any, killed: Any
) -> None:
    load = load_of(bench, bench.start(confirm_timeout=60), emitters=EMITTERS, failures=1)
    bench.subscribe(bench.start(prefetch=PREFETCH), load.handle, retry=20)
    with load.running():
        killed(cluster.servers[1])
    assert load.failed == set()
    # an attempt may be published twice, and each copy be delivered twice
    assert load.repeated() <= 2 * (EMITTERS + PREFETCH)


def test_an_exclusive_queue_keeps_its_order_when_its_leader_is_killed(
    bench: Any, cluster: Any, killed: Any
) -> None:
    system, handled = bench.start(confirm_timeout=60), []
    queue = f'{bench.name}.exclusive'
    consumers = [bench.start() for _ in range(2)]
    for consumer in consumers:
        consumer.subscribe(
            Subscription(
                queue, (bench.topic,), lambda event: handled.append(event.body['n']), exclusive=True
            )
        )
    emitted = []

    def emit() -> None:
        while not (ended and len(emitted) > ended[0] + 50):
            system.emit(Event(bench.topic, {'n': len(emitted)}))
            emitted.append(len(emitted))
            eventually(lambda: len(emitted) - len(set(handled)) < IN_FLIGHT, PATIENCE)

    ended: list[int] = []
    emitting = gevent.spawn(emit)
    eventually(lambda: len(handled) > 20, PATIENCE)
    killed(cluster.leader_of(queue))
    ended.append(len(emitted))
    emitting.get(timeout=PATIENCE)
    eventually(lambda: set(emitted) <= set(handled), PATIENCE)
    assert list(dict.fromkeys(handled)) == emitted


def test_emit_fails_in_time_without_a_majority_and_works_again_afterwards(
    bench: Any, cluster: Any, killed: Any, in_thread: Callable[..., Any]
) -> None:
    emitter, handled = bench.start(confirm_timeout=1), []
    bench.subscribe(bench.start(), lambda event: handled.append(event.body['n']))
    bench.emit(emitter, 'before')
    first, second, third = cluster.servers
    killed(first, third)
    with pytest.raises(EmitFailure, match=r'not confirmed within 1\.\d s: .*does not answer'):
        bench.emit(emitter, 'meanwhile')
    in_thread(cluster.start)

    def emits() -> bool:
        try:
            bench.emit(emitter, 'after')
        except EmitFailure:
            return False
        return True

    eventually(emits, PATIENCE)
    eventually(lambda: 'after' in handled, PATIENCE)
    assert second.running
