"""Names at the broker: two systems in one virtual host are isolated."""

from __future__ import annotations

from typing import Any

import amqp
import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.deliveries import LOSSES
from lymph.events.kombu._connecting.settings import is_exchange
from lymph.events.kombu._rabbitmq.delays import fine
from lymph.events.kombu._rabbitmq.messages import message_of
from lymph.events.kombu._rabbitmq.names import DEFAULT_EXCHANGE, Names
from lymph.events.kombu.serializers import SERIALIZERS
from lymph.exceptions import SubscriptionError
from lymph.testing.waiting import eventually

LEVEL = fine(1, 0)

#: interface and handler of what may be mistaken for a queue of lymph, or of an exchange `shop`
HANDLERS = [
    f'{interface}.{handler}'
    for interface in ('shop', 'cart', 'delay', 'dead')
    for handler in ('dead', 'delay', 'delayed', 'retry', 'on_paid', 'lymph')
]


def all_names(exchange: str) -> list[str]:
    """Return the names of everything that a system declares."""
    names = Names(exchange)
    queues = [names.queue(each) for each in HANDLERS]
    waiting = [names.retry(each, LEVEL) for each in queues]
    own = [names.events, names.dead, names.delay, names.delayed, names.records, names.lock]
    return [*queues, *waiting, *own, names.waiting(LEVEL)]


@pytest.mark.parametrize('other', ['shop', 'lymph', 'cart', 'dead', 'a.b'])
def test_systems_with_different_exchanges_have_no_name_in_common(other: str) -> None:
    names = [*all_names(DEFAULT_EXCHANGE), *all_names(other), *all_names('other')]
    assert len(set(names)) == len(names)


def test_the_default_exchange_is_not_in_front_and_another_one_is() -> None:
    assert Names(DEFAULT_EXCHANGE).queue('shop.on_paid') == 'shop.on_paid'
    assert Names('eu').queue('shop.on_paid') == 'eu.shop.on_paid'
    assert Names('eu').queue('shop.on_paid', 'token') == 'eu.shop.on_paid.token'
    assert Names('eu').name_of('eu.shop.on_paid') == 'shop.on_paid'
    assert Names('eu').name_of('of.a.stranger') == 'of.a.stranger'


@pytest.mark.parametrize(
    'name', ['lymph.dead', 'lymph.delay', 'lymph.delayed', 'lymph.delay.1000.5', 'a.b.retry.500.49']
)
@pytest.mark.parametrize('exchange', [DEFAULT_EXCHANGE, 'shop'])
def test_reserved_queue_names_are_rejected_for_handlers(name: str, exchange: str) -> None:
    with pytest.raises(SubscriptionError, match=f"'{name}' is a name that lymph keeps"):
        Names(exchange).check(name)


def test_name_reserved_by_rabbitmq_is_rejected_without_an_exchange_prefix() -> None:
    with pytest.raises(SubscriptionError, match=r"'amq\.on_paid' is a name that RabbitMQ keeps"):
        Names(DEFAULT_EXCHANGE).check('amq.on_paid')
    Names('shop').check('amq.on_paid')


def test_an_exchange_leaves_less_room_for_queue_names() -> None:
    Names('shop').check('q' * 195)
    with pytest.raises(SubscriptionError, match=r'at most 195 bytes behind the exchange shop'):
        Names('shop').check('q' * 196)


@pytest.mark.parametrize(
    ('name', 'allowed'),
    [
        *((name, True) for name in ('lymph', 'lymph.events', 'shop', 'shop.dead', 'lymph.dead.a')),
        *((name, False) for name in ('amq.topic', 'lymph.dead', 'lymph.delay', 'lymph.delayed')),
        *((name, False) for name in ('shop.lymph.dead', 'a.b.lymph.delayed')),
    ],
)
def test_exchange_that_another_system_declares_is_rejected(name: str, allowed: bool) -> None:
    assert is_exchange(name) == allowed


@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
def test_two_systems_in_one_virtual_host_are_isolated(bench: Any, queue_type: str) -> None:
    exchanges = [{}, {'exchange': f'{bench.name}.one'}, {'exchange': f'{bench.name}.two'}]
    types = {'queue_type': queue_type}
    systems = [bench.start(**each, **(types if each else {})) for each in exchanges]
    handled: list[list[Any]] = [[], [], []]

    def subscribe(at: int, name: str, **options: Any) -> None:
        def handle(event: Any) -> None:
            handled[at].append(event.body['n'])
            raise RuntimeError(at)

        subscription = Subscription(f'{bench.name}.{name}', (bench.topic,), handle, **options)
        systems[at].subscribe(subscription)

    for at in range(3):
        subscribe(at, 'on_paid')
        subscribe(at, 'dead', retry=1)
        subscribe(at, 'hears', durable=False)
        assert systems[at].has_queue(f'{bench.name}.dead')
    for at, system in enumerate(systems):
        bench.emit(system, at)
        bench.emit(system, at + 10, delay=0.1)
    eventually(lambda: [len(each) for each in handled] == [8, 8, 8])
    for at, system in enumerate(systems):
        assert set(handled[at]) == {at, at + 10}

        def buried(at: int = at, system: Any = system) -> Any:
            letters = [
                each for each in system.dead_letters.scan() if each.queue.startswith(bench.name)
            ]
            return len(letters) == 6 and letters

        letters = eventually(buried)
        assert {letter.queue for letter in letters} == {
            f'{bench.name}.on_paid',
            f'{bench.name}.dead',
            f'{bench.name}.hears',
        }
        assert {letter.error for letter in letters} == {f'RuntimeError: {at}'}
        ids = [each.id for each in letters if each.queue.endswith('on_paid')]
        assert system.dead_letters.replay(*ids) == 2
    eventually(lambda: [len(each) for each in handled] == [10, 10, 10])
    for at in range(3):
        assert set(handled[at]) == {at, at + 10}


def test_a_queue_of_the_former_default_exchange_keeps_its_events_and_dead_letters(
    bench: Any,
) -> None:
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    channel = connection.channel()
    system = bench.start()  # declares lymph.dead
    channel.exchange_declare('lymph', 'topic', durable=True, auto_delete=False)
    channel.queue_declare(
        bench.name,
        durable=True,
        auto_delete=False,
        arguments={
            'x-queue-type': 'quorum',
            'x-dead-letter-exchange': 'lymph.dead',
            'x-dead-letter-routing-key': bench.name,
            'x-delivery-limit': LOSSES,
            'x-dead-letter-strategy': 'at-least-once',
            'x-overflow': 'reject-publish',
        },
    )
    channel.queue_bind(bench.name, 'lymph', bench.topic)
    event = Event(bench.topic, {'n': 1})
    message = message_of(event, SERIALIZERS['lymph-msgpack'], 0.0)
    channel.confirm_select()
    channel.basic_publish(message, exchange='lymph', routing_key=bench.topic)
    channel.wait([amqp.spec.Basic.Ack])
    channel.basic_publish(message, exchange='lymph.dead', routing_key=bench.name)
    channel.wait([amqp.spec.Basic.Ack])
    channel.exchange_delete('lymph')  # or `lymph doctor` would find it in a later test
    connection.close()
    handled: list[int] = []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 2)
    eventually(lambda: handled == [1, 2])
    [letter] = system.dead_letters.read(bench.name)
    assert letter.event.id == event.id


@pytest.mark.parametrize('named', [False, True])
def test_handlers_named_like_queues_of_lymph_have_their_own_queues(bench: Any, named: bool) -> None:
    handled: list[int] = []
    system = bench.start(**({'exchange': bench.name} if named else {}))
    queues = [f'{bench.name}.{each}' for each in ('dead', 'delay', 'delayed', 'retry')]
    for queue in queues:
        system.subscribe(
            Subscription(queue, (bench.topic,), lambda event: handled.append(event.body['n']))
        )
    bench.emit(system, 1)
    bench.emit(system, 2, delay=0.1)
    eventually(lambda: sorted(handled) == [1] * 4 + [2] * 4)
    assert not [each for each in system.dead_letters.scan() if each.queue in queues]
