"""Events that the broker rejects are sent again for as long as their emitters wait."""

from __future__ import annotations

from typing import Any

import amqp
import gevent
import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._rabbitmq.names import DEFAULT_EXCHANGE
from lymph.exceptions import EmitFailure
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.fixture
def full(bench: Any) -> Any:
    """A queue of the topic that accepts two events and rejects others; yields its channel."""
    bench.stop(bench.start())  # declares the exchange
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    channel = connection.channel()
    channel.queue_declare(
        bench.name,
        durable=True,
        auto_delete=False,
        arguments={'x-max-length': 2, 'x-overflow': 'reject-publish'},
    )
    channel.queue_bind(bench.name, DEFAULT_EXCHANGE, bench.topic)
    yield channel
    channel.queue_delete(bench.name)
    connection.close()


def test_a_full_queue_makes_emitters_wait_until_it_has_room(bench: Any, full: Any) -> None:
    system = bench.start(confirm_timeout=PATIENCE)
    emitters = [gevent.spawn(bench.emit, system, n) for n in range(6)]
    numbers = []

    def all_are_safe() -> bool:
        message = full.basic_get(bench.name, no_ack=True)
        if message is not None:
            numbers.append(message.body)
        return all(emitter.ready() for emitter in emitters)

    eventually(lambda: sum(emitter.ready() for emitter in emitters) == 2, PATIENCE)
    eventually(all_are_safe, PATIENCE)
    gevent.joinall(emitters, raise_error=True)


def test_queue_that_stays_full_is_an_error_in_time_and_does_not_affect_others(
    bench: Any, full: Any
) -> None:
    system, handled = bench.start(confirm_timeout=1.5), []
    other = bench.start()
    for n in range(2):
        bench.emit(system, n)
    elsewhere = f'{bench.name}.elsewhere'
    other.subscribe(
        Subscription(elsewhere, (elsewhere,), lambda event: handled.append(event.body['n']))
    )
    hopeless = [gevent.spawn(outcome, bench, system) for _ in range(5)]
    for n in range(20):
        system.emit(Event(elsewhere, {'n': n}))
    eventually(lambda: set(handled) == set(range(20)), PATIENCE)
    for each in hopeless:
        text = str(each.get(timeout=PATIENCE))
        assert 'not confirmed within 1.5 s' in text
        assert 'times (basic.nack), a queue is full' in text


def outcome(bench: Any, system: Any) -> Exception | None:
    try:
        bench.emit(system)
    except EmitFailure as error:
        return error
    return None
