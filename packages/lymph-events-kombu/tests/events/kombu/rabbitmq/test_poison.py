"""Events that cannot be handled become dead letters, and the queue continues."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from typing import Any

import amqp
import pytest
from msgpack import ExtType, packb

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.deadletters import DeadLetter
from lymph.events.kombu import KombuEventSystem
from lymph.events.kombu._connecting import reconnecting
from lymph.events.kombu._connecting.bounds import Bounds
from lymph.events.kombu._rabbitmq import deadletters
from lymph.serializers import msgpack
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import RabbitmqServer
from lymph.testing.waiting import eventually, let_pass

PATIENCE = 30.0

MSGPACK = 'application/x-lymph-msgpack'


def letters(bench: Any, system: KombuEventSystem) -> list[DeadLetter]:
    return list(system.dead_letters.read(bench.name))


def publish(server: RabbitmqServer, queue: str, body: bytes, **properties: Any) -> None:
    """Put a message into a queue, as another program would."""
    connection = amqp.Connection(server.address)
    connection.connect()
    channel = connection.channel()
    channel.confirm_select()
    channel.basic_publish(amqp.Message(body, **properties), routing_key=queue)
    channel.wait([amqp.spec.Basic.Ack])
    connection.close()


SETS_IN_SETS = b'\x90'
for _ in range(200):
    SETS_IN_SETS = packb(ExtType(1, b'\x91' + SETS_IN_SETS))


@pytest.mark.parametrize(
    ('body', 'content_type', 'error'),
    [
        (b'\xc1', MSGPACK, 'expected msgpack'),
        (SETS_IN_SETS, MSGPACK, 'more than 32 containers'),
        (b'\x91' * 5000, MSGPACK, 'more than 32 containers'),
        (b'[' * 5000 + b']' * 5000, 'application/x-lymph-json', 'more than 32 containers'),
        (b'{"$set":[' * 5000 + b']}' * 5000, 'application/x-lymph-json', 'more than 32 containers'),
        (b'', MSGPACK, 'expected msgpack'),
        (b'{', 'application/x-lymph-json', 'expected JSON'),
        (b'{}', 'application/json', 'expected the content type'),
        (b'{}', None, 'expected the content type'),
        (msgpack.pack([1]), MSGPACK, 'expected an event, found list'),
        (msgpack.pack({'id': 'x', 'body': {}}), MSGPACK, 'expected text as type'),
        (msgpack.pack({'type': 't', 'id': 'x', 'body': 1}), MSGPACK, 'expected a mapping as body'),
    ],
)
def test_message_that_is_not_an_event_becomes_a_dead_letter_and_the_next_is_handled(
    bench: Any, body: bytes, content_type: str | None, error: str
) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']), retry=5)
    properties = {} if content_type is None else {'content_type': content_type}
    publish(bench.server, bench.name, body, **properties)
    bench.emit(system, 1)
    eventually(lambda: handled == [1])
    (letter,) = eventually(lambda: letters(bench, system))
    assert error in letter.error
    assert letter.data == body
    assert letter.attempts == 1
    assert letter.event is None


def test_handler_that_always_fails_does_not_block_the_next_event(bench: Any) -> None:
    system, handled = bench.start(), []

    def handle(event: Event) -> None:
        if event.body['n'] == 'poison':
            raise RuntimeError('never')
        handled.append(event.body['n'])

    bench.subscribe(system, handle, retry=1, sequential=True)
    for n in ('poison', 1, 2):
        bench.emit(system, n)
    eventually(lambda: handled == [1, 2])
    (letter,) = eventually(lambda: letters(bench, system))
    assert letter.event is not None
    assert letter.event.body == {'n': 'poison'}
    assert letter.attempts == 2


def test_headers_of_any_kind_do_not_stop_a_consumer(bench: Any) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.attempt))
    event = {'type': bench.topic, 'id': 'x', 'body': {}}
    headers = {'lymph-attempts': 'many', 'lymph-failures': {'a': 1}, 'x-death': 'never'}
    publish(
        bench.server,
        bench.name,
        msgpack.pack(event),
        content_type=MSGPACK,
        application_headers=headers,
    )
    eventually(lambda: handled == [1])


def test_dead_letter_has_the_error_and_its_time(bench: Any) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError('no such\ncustomer')

    system, before = bench.start(), time.time()
    bench.subscribe(system, fail, retry=1)
    event = Event(bench.topic, {'when': 5}, headers={'trace_id': 'abc', 'own': {'x': [1]}})
    system.emit(event)
    (letter,) = eventually(lambda: letters(bench, system))
    assert letter.error == 'RuntimeError: no such customer'
    assert letter.attempts == 2
    assert letter.queue == bench.name
    assert letter.trace_id == 'abc'
    assert letter.event is not None
    assert letter.event.headers == event.headers
    assert letter.emitted is not None
    assert before <= letter.emitted <= letter.died <= time.time()


def lose_a_consumer(server: RabbitmqServer, queue: str) -> None:
    """Consume one event of a queue, and end the connection without an outcome."""
    connection, delivered = amqp.Connection(server.address), []
    connection.connect()
    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    channel.basic_consume(queue, callback=delivered.append)
    while not delivered:
        connection.drain_events(timeout=PATIENCE)
    connection.close()


@pytest.mark.parametrize(
    ('queue_type', 'attempts'), [('quorum', [4]), ('classic', [2, 3])], ids=['quorum', 'classic']
)
@pytest.mark.parametrize('options', [{}, {'exclusive': True}], ids=str)
def test_consecutive_losses_use_one_retry_each_or_one_together_in_classic_queues(
    bench: Any, queue_type: str, attempts: list[int], options: dict[str, Any]
) -> None:
    system, handled = bench.start(queue_type=queue_type, exchange=bench.name), []

    def fail(event: Event) -> None:
        handled.append(event.attempt)
        raise RuntimeError('no')

    subscription = Subscription(bench.name, (bench.topic,), fail, retry=2, **options)
    system.declare(subscription)
    bench.emit(system)
    for _ in range(3):
        lose_a_consumer(bench.server, f'{bench.name}.{bench.name}')
    system.subscribe(subscription)
    (letter,) = eventually(lambda: letters(bench, system))
    assert handled == attempts
    assert letter.attempts == attempts[-1]


def test_dead_letters_of_temporary_queues_are_kept(bench: Any) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError('no')

    system = bench.start()
    bench.subscribe(system, fail, broadcast=True, durable=False)
    bench.emit(system, 1)
    eventually(lambda: letters(bench, system))
    bench.stop(system)
    (letter,) = letters(bench, bench.start())
    assert letter.event is not None
    assert letter.event.body == {'n': 1}


def test_dead_letter_of_a_missing_queue_is_not_replayed(bench: Any) -> None:
    def fail(event: Event) -> None:
        raise RuntimeError('no')

    system = bench.start()
    subscription = bench.subscribe(system, fail, durable=False)
    bench.emit(system, 1)
    (letter,) = eventually(lambda: letters(bench, system))
    system.unsubscribe(subscription)
    assert system.dead_letters.replay(letter.id) == 0
    assert [each.id for each in letters(bench, system)] == [letter.id]


def test_dead_letters_larger_in_total_than_the_buffer_are_replayed(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, handled = bench.start(), []

    def fail(event: Event) -> None:
        raise RuntimeError('broken')

    subscription = bench.subscribe(system, fail)
    for n in range(10):
        system.emit(Event(bench.topic, {'n': n, 'text': 'x' * 30_000}))
    found = eventually(lambda: len(each := letters(bench, system)) == 10 and each)
    system.unsubscribe(subscription)
    few = Bounds(size=100_000).admit
    monkeypatch.setattr(Bounds, 'admit', lambda bounds, *facts: few(*facts))
    monkeypatch.setattr(deadletters, '_BYTES', 80_000)
    assert system.dead_letters.replay(*[letter.id for letter in found]) == 10
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    eventually(lambda: sorted(handled) == list(range(10)))


def test_event_that_disconnects_its_consumer_does_not_affect_others(
    bench: Any, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnecting, '_BRIEF', 0)  # or the pauses in between would last
    emitter, handled = bench.start(), []

    def handle(event: Event) -> None:
        if event.body['n'] == 'poison':
            let_pass(0.05, 'the handlers of the other events begin')
            proxy.cut()
            return
        let_pass(0.2, 'the connection is lost while this runs, so it cannot be acknowledged')
        handled.append(event.body['n'])

    consumer = bench.start(urls=f'amqp://{proxy.address}//')
    consumer.unsubscribe(bench.subscribe(consumer, handle))
    for n in ('poison', 1, 2, 3, 4):
        bench.emit(emitter, n)
    subscription = bench.subscribe(consumer, handle)
    (letter,) = eventually(lambda: letters(bench, emitter), 60)
    eventually(lambda: {1, 2, 3, 4} <= set(handled), 60)
    consumer.unsubscribe(subscription)
    assert letter.event is not None
    assert letter.event.body == {'n': 'poison'}
    assert 'its consumers died or were cut off' in letter.error


_CONSUMER = """
import os, sys, gevent
from lymph.config import Configuration
from lymph.events.base import Subscription
from lymph.events.kombu import KombuEventSystem

url, queue, topic, log = sys.argv[1:]

def handle(event):
    if event.body['n'] == 'poison':
        os.kill(os.getpid(), 9)
    with open(log, 'a') as file:
        print(event.body['n'], file=file)

config = Configuration({'events': {'urls': url}})
system = KombuEventSystem.from_config(config.view('events'))
system.on_start()
system.subscribe(Subscription(queue, (topic,), handle))
gevent.sleep(60)
"""


def test_event_that_kills_its_process_becomes_a_dead_letter(bench: Any, tmp_path: Any) -> None:
    system, log = bench.start(), tmp_path / 'handled'
    log.touch()
    system.unsubscribe(bench.subscribe(system, print))
    for n in (1, 'poison', 2):
        bench.emit(system, n)
    command = [sys.executable, '-c', _CONSUMER, bench.server.url, bench.name, bench.topic, str(log)]
    consumers = 0
    while not (letters(bench, system) and _handled(log) >= {'1', '2'}):
        consumers += 1
        with subprocess.Popen(command) as process:
            eventually(partial(_ended, process, bench, system, log), 60)
            process.kill()
    # the broker may not have put back yet what the last look has given back
    (letter,) = eventually(lambda: letters(bench, system), 20)
    assert letter.event is not None
    assert letter.event.body == {'n': 'poison'}
    assert _handled(log) == {'1', '2'}
    assert consumers > 2


def _ended(process: Any, bench: Any, system: KombuEventSystem, log: Any) -> bool:
    """Whether the consumer was killed, or has finished its work."""
    return process.poll() is not None or (
        bool(letters(bench, system)) and _handled(log) >= {'1', '2'}
    )


def _handled(log: Any) -> set[str]:
    return set(log.read_text().split())
