"""Replies of Redis are bounded for events of any size, and wake-ups never stop it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._redis import letters
from lymph.events.kombu._redis.store import RedisStore
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import RedisServer
from lymph.testing.waiting import eventually

PATIENCE = 30.0
_LIMIT = 'client-output-buffer-limit'


@pytest.fixture
def strict(redis_server: RedisServer) -> Iterator[None]:
    """A Redis that closes a subscriber as soon as 200 kB wait for it."""
    redis_server.command('CONFIG', 'SET', _LIMIT, 'pubsub 200000 0 0')
    yield
    redis_server.command('CONFIG', 'SET', _LIMIT, 'pubsub 33554432 8388608 60')


def kill_events(bench: Any, system: Any, count: int, size: int) -> None:
    """Create dead letters from `count` events of `size` bytes each."""
    died = []

    def fail(event: Event) -> None:
        died.append(event)
        raise RuntimeError('broken')

    subscription = bench.subscribe(system, fail)
    for n in range(count):
        system.emit(Event(bench.topic, {'n': n, 'text': 'x' * size}))
    eventually(lambda: len(died) == count, PATIENCE)
    system.unsubscribe(subscription)
    eventually(lambda: bench.left() == {}, PATIENCE)


@pytest.mark.usefixtures('strict')
def test_a_hundred_dead_letters_of_400_kb_are_listed_replayed_and_dropped(bench: Any) -> None:
    system, other = bench.start(), bench.start()
    system.subscribe(Subscription(f'{bench.name}.other', (f'{bench.name}.other',), print))
    kill_events(bench, other, 100, 400_000)
    pipe, kept = system._link.connection, system.dead_letters
    found, count = kept.oldest(bench.name)
    ids = [letter.id for letter in found]
    assert (len(set(ids)), count) == (100, 100)
    assert {len(letter.event.body['text']) for letter in found} == {400_000}
    assert [letter.id for letter in kept.scan(bench.name)] == ids
    assert [letter.id for letter in kept.read(bench.name, 30, ids[9])] == ids[10:40]
    bench.systems.remove(other)
    assert kept.drop(*ids) == 100
    assert kept.oldest(bench.name) == ([], 0)
    assert system._link.connection is pipe
    other.on_stop()


def test_dead_letters_are_replayed_in_batches_and_none_is_skipped(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, '_MOVED', 2500)
    system, handled = bench.start(), []
    kill_events(bench, system, 10, 1000)
    ids = [letter.id for letter in bench.dead(system)]
    ids[3:3] = ['999999999', 'no id']
    told: list[str] = []
    assert system.dead_letters.replay(*ids, settled=told.append) == 10
    assert told == [id for id in ids if id not in ('999999999', 'no id')]
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: sorted(handled) == list(range(10)), PATIENCE)


def test_ten_thousand_small_dead_letters_are_counted_without_being_read(bench: Any) -> None:
    system = bench.start()
    kill_events(bench, system, 1, 1)
    fill = (
        "for n = 10000001, 10009999 do redis.call('ZADD', KEYS[1], n, n); "
        "redis.call('HSET', 'lymph:letter:' .. n, 'queue', ARGV[1], 'record', '1 x') end"
    )
    bench.server.command('EVAL', fill, '1', f'lymph:buried:{bench.name}', bench.name)
    found, count = system.dead_letters.oldest(bench.name, 5)
    assert (len(found), count) == (5, 10_000)
    assert len(list(system.dead_letters.scan(bench.name))) == 10_000
    ids = [str(n) for n in range(10_000_001, 10_010_000)]
    clean = (
        "for n = 10000001, 10009999 do redis.call('DEL', 'lymph:letter:' .. n) end return 'done'"
    )
    bench.server.command('EVAL', clean, '0')
    bench.server.command('DEL', f'lymph:buried:{bench.name}')
    assert system.dead_letters.drop(*ids) == 0


@pytest.mark.usefixtures('strict')
def test_a_lease_is_bounded_by_bytes_and_serves_every_queue(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases: list[list[int]] = []
    lease = RedisStore.lease

    def noting(store: Any, demands: Any) -> Any:
        leased = lease(store, demands)
        leases.append([len(each.data) for each in leased.deliveries])
        return leased

    system, handled = bench.start(pool_size=20), []

    def handle(event: Event) -> None:
        handled.append(tuple(event.body['n']))

    topics = [f'{bench.name}.{n}' for n in range(3)]
    subscriptions = [Subscription(topic, (topic,), handle) for topic in topics]
    for subscription in subscriptions:
        system.declare(subscription)
    for n in range(10):
        for topic in topics:
            text = 'x' * (2_000_000 if n == 5 and topic == topics[0] else 300_000)
            system.emit(Event(topic, {'n': (topic, n), 'text': text}))
    monkeypatch.setattr(RedisStore, 'lease', noting)
    pipe = system._link.connection
    for subscription in subscriptions:
        system.subscribe(subscription)
    eventually(lambda: len(handled) == 30, PATIENCE)
    assert set(handled) == {(topic, n) for topic in topics for n in range(10)}
    assert all(sum(sizes) <= 2**20 or len(sizes) == 1 for sizes in leases)
    # no queue waited until another one was empty
    assert min(handled.index((topic, 9)) for topic in topics) > 15
    assert system._link.connection is pipe


def test_lost_connection_for_wake_ups_is_restored_alone(bench: Any) -> None:
    system, emitter, handled = bench.start(), bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    pipe, bells = system._link.connection, system._link._bells._pipe
    bells.fail(ConnectionResetError('closed'))
    system._link._bells._since -= 10  # it lasted
    eventually(lambda: system._link._bells._pipe is not bells, PATIENCE)
    for n in range(3):
        bench.emit(emitter, n)
        eventually(lambda n=n: n in handled, 2.0)  # far less than until it looks by itself
    assert system._link.connection is pipe


def test_repeatedly_closed_wake_ups_end_the_connection_that_needs_them(bench: Any) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    pipe = system._link.connection
    bench.server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    eventually(lambda: system._link.connection not in (None, pipe), PATIENCE)
    bench.emit(system, 1)
    eventually(lambda: handled == [1], PATIENCE)


def test_a_large_answer_may_take_longer_than_the_timeout(bench: Any, proxy: FaultProxy) -> None:
    near, far = bench.start(), bench.start(urls=f'redis://{proxy.address}', confirm_timeout=0.5)
    kill_events(bench, near, 1, 3_000_000)
    proxy.slow(2_000_000)
    (letter,) = far.dead_letters.read(bench.name)
    assert len(letter.event.body['text']) == 3_000_000


def test_a_large_event_may_take_longer_than_two_heartbeats(bench: Any, proxy: FaultProxy) -> None:
    handled: list[Any] = []
    near = bench.start()
    through: dict[str, Any] = {'urls': f'redis://{proxy.address}', 'heartbeat': 0.5}
    far = bench.start(**through, confirm_timeout=60)
    bench.subscribe(near, lambda event: handled.append(len(event.body['text'])))
    proxy.slow(4_000_000)
    pipe = far._link.connection
    far.emit(Event(bench.topic, {'text': 'x' * 6_000_000}))
    eventually(lambda: handled == [6_000_000], PATIENCE)
    assert far._link.connection is pipe
