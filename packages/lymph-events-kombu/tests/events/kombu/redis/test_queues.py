"""The queues in Redis as operators see them, and those of dead instances."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.testing.waiting import eventually


def temporary_queues(bench: Any) -> int:
    return int(bench.server.command('HLEN', f'{bench.name}:temporary'))


def leave_a_dead_consumer(bench: Any) -> str:
    """Create a temporary queue whose instance has been silent for too long; return its owner."""
    system = bench.start(exchange=bench.name)
    system.subscribe(Subscription('own', ('#',), print, durable=False))
    system._store._looking.kill()
    system._link.stop(0)
    bench.systems.remove(system)
    let_expire(bench, system._store.owner)
    return system._store.owner


def let_expire(bench: Any, owner: str) -> None:
    bench.server.command('ZADD', f'{bench.name}:owners', '1', owner)


def test_temporary_queues_of_dead_instances_are_deleted_while_only_emitters_run(bench: Any) -> None:
    leave_a_dead_consumer(bench)
    assert temporary_queues(bench) == 1
    bench.start(exchange=bench.name)
    assert temporary_queues(bench) == 0


def test_temporary_queues_of_dead_instances_are_deleted_after_a_long_time_without_a_check(
    bench: Any,
) -> None:
    owner = leave_a_dead_consumer(bench)
    for left in (1, 0):
        bench.server.command('SET', f'{bench.name}:looked', '1')
        bench.start(exchange=bench.name)
        assert temporary_queues(bench) == left
        bench.close()
        let_expire(bench, owner)


def test_missing_permission_to_count_consumers_is_noted(bench: Any) -> None:
    bench.start().declare(Subscription(bench.name, (bench.topic,), print))
    url = bench.user('~lymph:* &lymph:* +@all -pubsub')
    system = bench.start(urls=url)
    state = system.queues.find(bench.name)
    assert (state.waiting, state.consumers) == (0, None)
    assert '+pubsub' in system.queues.note
    with pytest.raises(BrokerError, match=r'permit the user \+pubsub'):
        system.queues.drop(bench.name)
    assert system.queues.drop(bench.name, forced=True)


def test_sizes_of_many_events_are_not_added_up(bench: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr('lymph.events.kombu._redis.queues._WEIGHED', 2)
    system = bench.start()
    system.declare(Subscription(bench.name, (bench.topic,), print))
    for n in range(4):
        bench.emit(system, n)
    bench.emit(system, 4, delay=3600)
    one = system.queues.find(bench.name).bytes / 5
    assert one == int(one) > 0
    monkeypatch.setattr('lymph.events.kombu._redis.queues._MOST_WEIGHED', 4)
    assert system.queues.find(bench.name).bytes is None
    assert 'more than 4 events' in system.queues.note
    system.queues.drop(bench.name)


def test_queue_dropped_under_its_consumer_is_declared_again(bench: Any) -> None:
    handled: list[int] = []
    system = bench.start()
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: system.queues.find(bench.name).consumers == 1)
    assert system.queues.drop(bench.name, forced=True)
    eventually(lambda: system.queues.find(bench.name), 20)
    bench.emit(system, 1)
    eventually(lambda: handled == [1], 20)
