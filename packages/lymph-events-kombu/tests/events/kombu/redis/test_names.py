"""Keys in Redis: two systems in one database are isolated."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import ConfigurationError
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._redis.names import is_exchange
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.mark.parametrize(
    ('name', 'allowed'),
    [
        *((name, True) for name in ('lymph', 'prod:shop', 'ready', 'dead:shop', 'shop:readers')),
        *((name, False) for name in ('shop:ready', 'shop:dead', 'a:b:letter', 'shop:bell:x')),
    ],
)
def test_exchange_with_ambiguous_keys_is_rejected(bench: Any, name: str, allowed: bool) -> None:
    assert is_exchange(name) == allowed
    if not allowed:
        with pytest.raises(ConfigurationError, match='exchange: expected a name of its own'):
            bench.make(exchange=name)


def test_two_systems_in_one_database_are_isolated(bench: Any) -> None:
    systems = [
        bench.start(**each)
        for each in ({}, {'exchange': bench.name}, {'exchange': f'{bench.name}:two'})
    ]
    handled: list[list[Any]] = [[], [], []]

    def subscribe(at: int, name: str, **options: Any) -> None:
        def handle(event: Event) -> None:
            handled[at].append(event.body['n'])
            raise RuntimeError(at)

        systems[at].subscribe(
            Subscription(f'{bench.name}.{name}', (bench.topic,), handle, **options)
        )

    for at in range(3):
        subscribe(at, 'on_paid')
        subscribe(at, 'dead', retry=1)
        subscribe(at, 'hears', durable=False)
    for at, system in enumerate(systems):
        bench.emit(system, at)
        bench.emit(system, at + 10, delay=0.1)
    eventually(lambda: [len(each) for each in handled] == [8, 8, 8], PATIENCE)
    for at, system in enumerate(systems):
        assert set(handled[at]) == {at, at + 10}

        def buried(system: Any = system) -> Any:
            found = [
                each for each in system.dead_letters.scan() if each.queue.startswith(bench.name)
            ]
            return len(found) == 6 and found

        letters = eventually(buried, PATIENCE)
        assert {letter.error for letter in letters} == {f'RuntimeError: {at}'}
        ids = [each.id for each in letters if each.queue == f'{bench.name}.on_paid']
        assert system.dead_letters.replay(*ids) == 2
    eventually(lambda: [len(each) for each in handled] == [10, 10, 10], PATIENCE)
    assert [set(each) for each in handled] == [{0, 10}, {1, 11}, {2, 12}]


def test_two_databases_of_a_redis_have_queues_and_consumers_of_their_own(bench: Any) -> None:
    address = f'redis://{bench.server.address}'
    systems = [bench.start(urls=f'{address}/{database}') for database in (0, 1)]
    handled: list[int] = []
    bench.subscribe(systems[0], print)
    systems[1].declare(Subscription(bench.name, (bench.topic,), print))
    consumers = [system.queues.find(bench.name).consumers for system in systems]
    assert consumers == [1, 0]
    bench.subscribe(systems[1], lambda event: handled.append(event.body['n']))
    bench.emit(systems[0], 1)
    bench.emit(systems[1], 2)
    eventually(lambda: handled == [2], PATIENCE)
