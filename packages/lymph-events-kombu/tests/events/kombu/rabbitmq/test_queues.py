"""The record of queues at RabbitMQ, from which they are listed."""

from __future__ import annotations

from typing import Any

import amqp
import gevent
import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@pytest.fixture
def channel(bench: Any) -> Any:
    """A channel of another program."""
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    yield connection.channel()
    connection.close()


@pytest.fixture
def start(bench: Any) -> Any:
    """Start an event system with an exchange of its own."""
    return lambda **keys: bench.start(exchange=bench.name, **keys)


def declare(system: Any, *names: str) -> None:
    for name in names:
        system.declare(Subscription(name, ('thing',), print))


def listed(system: Any) -> list[str]:
    return [state.queue for state in system.queues.read()]


def put(channel: Any, bench: Any, body: bytes) -> None:
    channel.confirm_select()
    channel.basic_publish(amqp.Message(body), routing_key=f'{bench.name}.lymph.queues')
    channel.wait([amqp.spec.Basic.Ack])


@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
def test_concurrent_writes_and_reads_of_the_record_lose_no_queue(
    start: Any, queue_type: str
) -> None:
    systems = [start(queue_type=queue_type) for _ in range(4)]
    names = [f'queue-{n}-{m}' for n in range(4) for m in range(5)]

    def work(n: int) -> None:
        for m in range(5):
            declare(systems[n], f'queue-{n}-{m}')
            systems[n].queues.read()

    gevent.joinall([gevent.spawn(work, n) for n in range(4)], raise_error=True)
    eventually(lambda: listed(systems[0]) == names, PATIENCE)


def test_queue_stays_in_the_record_when_its_instance_has_stopped(bench: Any, start: Any) -> None:
    system = start()
    declare(system, 'queue')
    bench.stop(system)
    assert listed(start()) == ['queue']


def test_queue_deleted_at_the_broker_is_no_longer_listed(
    bench: Any, start: Any, channel: Any
) -> None:
    system = start()
    declare(system, 'one', 'two')
    eventually(lambda: listed(system) == ['one', 'two'], PATIENCE)
    channel.queue_delete(f'{bench.name}.one')
    assert listed(system) == ['two']


def test_ended_temporary_queues_are_removed_from_the_record(
    bench: Any, start: Any, channel: Any
) -> None:
    declare(start(), 'queue')
    eventually(lambda: listed(bench.systems[0]), PATIENCE)
    gone = ', '.join(f'"{bench.name}.gone-{n}": true' for n in range(10))
    put(channel, bench, f'{{{gone}}}'.encode())
    records = start()._records
    declare(bench.systems[1], 'other')
    wanted = {f'{bench.name}.queue': False, f'{bench.name}.other': False}
    eventually(lambda: dict(records.read()) == wanted, PATIENCE)


@pytest.mark.parametrize(
    'junk', [b'', b'\xff', b'[1]', b'{"a": 5, "": true, "\\ud800": true}', b'[' * 100_000]
)
def test_malformed_record_is_dropped(bench: Any, start: Any, channel: Any, junk: bytes) -> None:
    system = start()
    declare(system, 'queue')
    eventually(lambda: listed(system), PATIENCE)
    put(channel, bench, junk)
    assert listed(system) == ['queue']


def test_queue_dropped_under_its_consumer_is_declared_again(start: Any) -> None:
    handled: list[int] = []
    system = start()
    consumed = Subscription('queue', ('thing',), lambda event: handled.append(event.body['n']))
    system.subscribe(consumed)
    eventually(lambda: listed(system), PATIENCE)
    assert system.queues.drop('queue', forced=True)
    eventually(lambda: system.queues.find('queue'), PATIENCE)

    def arrives() -> bool:
        system.emit(Event('thing', {'n': 1}))
        return bool(handled)

    eventually(arrives, PATIENCE)


def test_queue_of_another_program_is_not_dropped(bench: Any, start: Any, channel: Any) -> None:
    system = start()
    channel.queue_declare(f'{bench.name}.celery', durable=True, auto_delete=False)
    with pytest.raises(BrokerError, match=r"'celery' was not declared by lymph.*rabbitmqctl"):
        system.queues.drop('celery')
    assert channel.queue_delete(f'{bench.name}.celery') == 0


@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
@pytest.mark.parametrize('exclusive', [False, True])
def test_queue_missing_from_the_record_is_recognized_by_its_arguments(
    start: Any, queue_type: str, exclusive: bool
) -> None:
    system = start(queue_type=queue_type)
    for name in ('one', 'two'):
        system.declare(Subscription(name, ('thing',), print, exclusive=exclusive))
    eventually(lambda: listed(system) == ['one', 'two'], PATIENCE)
    system._records.remove(system._records.read())
    assert listed(system) == []
    assert system.queues.drop('one')
    assert start(queue_type=queue_type).has_queue('two')
    eventually(lambda: listed(system) == ['two'], PATIENCE)


def test_many_dead_letters_are_counted_without_consuming_them(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr('lymph.events.kombu._rabbitmq.queues._COUNTED', 1)
    system = start()

    def fail(event: Any) -> None:
        raise ValueError

    system.subscribe(Subscription('queue', ('thing',), fail))
    for n, dead in ((1, 1), (2, None)):
        system.emit(Event('thing', {'n': n}))
        eventually(lambda n=n: len(list(system.dead_letters.scan())) == n, PATIENCE)
        eventually(lambda dead=dead: system.queues.read(['queue'])[0].dead == dead, PATIENCE)
    assert '2 dead letters are too many' in system.queues.note
