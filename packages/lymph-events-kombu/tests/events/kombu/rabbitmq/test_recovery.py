"""Closed channels and deleted queues are restored, and one bad event affects no other."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import amqp
import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._rabbitmq import upkeep
from lymph.exceptions import EmitFailure, EventRejected
from lymph.testing.waiting import eventually


def control(bench: Any, *arguments: str) -> str:
    return str(gevent.get_hub().threadpool.apply(bench.server.control, arguments))


def limit_messages(bench: Any, size: int) -> None:
    """Set the largest message the broker accepts: RabbitMQ 3 reads a setting, 4 a term."""
    setting = f'application:set_env(rabbit, max_message_size, {size})'
    control(bench, 'eval', f'{setting}, persistent_term:put(max_message_size, {size}).')


def test_deleted_queue_is_declared_and_consumed_again(bench: Any) -> None:
    system, handled = bench.start(), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 'before')
    eventually(lambda: handled == ['before'])
    control(bench, 'delete_queue', bench.name)

    def comes_back() -> bool:
        bench.emit(system, 'after')
        return 'after' in handled

    eventually(comes_back, 30)


def test_event_sent_over_a_connection_lost_during_setup_is_sent_again(
    bench: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=30)
    handled: list[Any] = []
    bench.subscribe(bench.start(), handled.append)
    prepare, emitting = system._later.prepare, []

    def break_half_way(connection: Any) -> None:
        monkeypatch.setattr(system._later, 'prepare', prepare)
        proxy.blackhole('to_client')
        emitting.append(gevent.spawn(bench.emit, system, 1))
        eventually(lambda: handled, 10)
        gevent.spawn_later(0.1, proxy.heal)
        raise ConnectionResetError('in the middle of it')

    monkeypatch.setattr(system._later, 'prepare', break_half_way)
    proxy.cut()
    eventually(lambda: emitting, 20)
    emitting[0].get(timeout=20)


def test_deleted_exchange_is_declared_again(bench: Any) -> None:
    system, handled = bench.start(exchange=bench.name), []
    bench.emit(system)
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    connection.channel().exchange_delete(bench.name)
    connection.close()
    emitters = [gevent.spawn(bench.emit, system, n) for n in range(20)]
    gevent.joinall(emitters, raise_error=True)
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    bench.emit(system, 'last')
    eventually(lambda: handled == ['last'])


def delay_queues(bench: Any) -> set[str]:
    listed = control(bench, 'list_queues', 'name').splitlines()
    return {name for name in listed if bench.name in name and '.delay.' in name}


def test_delay_queue_is_still_used_when_the_clock_is_set_back(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it ends after a time that began with its first use
    system, really = bench.start(exchange=bench.name), time.time
    bench.emit(system, 1, delay=7)
    queues = delay_queues(bench)
    assert len(queues) == 1
    monkeypatch.setattr(time, 'time', lambda: really() - 2 * 3600)
    bench.emit(system, 2, delay=7)
    assert delay_queues(bench) == queues


def delete(bench: Any, *, queues: Sequence[str] = (), exchanges: Sequence[str] = ()) -> None:
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    channel = connection.channel()
    for queue in queues:
        channel.queue_delete(queue)
    for exchange in exchanges:
        channel.exchange_delete(exchange)
    connection.close()


def test_queues_are_bound_again_when_their_exchange_was_deleted(bench: Any) -> None:
    system, handled = bench.start(exchange=bench.name), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    broadcast = Subscription(
        f'{bench.name}-2', (bench.topic,), lambda event: handled.append('all'), broadcast=True
    )
    system.subscribe(broadcast)
    delete(bench, exchanges=[bench.name])
    bench.emit(system, 1)
    eventually(lambda: set(handled) == {1, 'all'})


@pytest.mark.parametrize('what', ['queues', 'exchanges'])
@pytest.mark.parametrize('options', [{'sequential': True}, {'sequential': True, 'exclusive': True}])
def test_sequential_queue_continues_after_its_dead_letter_queue_was_deleted(
    bench: Any, what: str, options: dict[str, Any]
) -> None:
    system, handled = bench.start(exchange=bench.name), []
    emitter = bench.start(exchange=bench.name)

    def handle(event: Event) -> None:
        handled.append(event.body['n'])
        if event.body['n'] == 'bad':
            raise EventRejected('bad')

    bench.subscribe(system, handle, **options)
    delete(bench, **{what: [f'{bench.name}.lymph.dead']})
    bench.emit(emitter, 'bad')
    bench.emit(emitter, 'good')
    eventually(lambda: handled == ['bad', 'good'])
    eventually(lambda: [letter.event.body['n'] for letter in system.dead_letters.read()] == ['bad'])


def test_delays_and_retries_continue_after_their_queues_were_deleted(bench: Any) -> None:
    system, attempts = bench.start(exchange=bench.name), []

    def handle(event: Event) -> None:
        attempts.append((event.body['n'], event.attempt))
        if event.attempt == 1:
            raise ValueError

    bench.subscribe(system, handle, retry=1)
    bench.emit(system, 1, delay=0.01)
    eventually(lambda: attempts == [(1, 1), (1, 2)])
    names = [f'{bench.name}.lymph.delay', f'{bench.name}.lymph.delayed']
    delete(bench, queues=names[1:], exchanges=names)
    bench.emit(system, 2, delay=0.01)
    eventually(lambda: attempts[2:] == [(2, 1), (2, 2)])


def test_deletions_without_a_notification_are_repaired_periodically(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, '_INTERVAL', 0.2)
    system, handled = bench.start(exchange=bench.name), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    delete(bench, exchanges=[bench.name])
    emitter = bench.start(exchange=bench.name)  # declares the exchange, but not the binding

    def arrives() -> bool:
        bench.emit(emitter)
        return bool(handled)

    eventually(arrives)


def test_event_that_the_broker_rejects_fails_alone(bench: Any) -> None:
    limit_messages(bench, 100_000)
    try:
        system, handled = bench.start(), []
        bench.subscribe(system, lambda event: handled.append(event.body['n']))
        good = [gevent.spawn(bench.emit, system, n) for n in range(50)]
        bad = gevent.spawn(system.emit, Event(bench.topic, {'n': 'big', 'blob': bytes(200_000)}))
        more = [gevent.spawn(bench.emit, system, n) for n in range(50, 100)]
        gevent.joinall([*good, *more], raise_error=True)
        with pytest.raises(EmitFailure, match=r'refused: .*larger than'):
            bad.get(timeout=10)
        eventually(lambda: set(handled) == set(range(100)))
        # and from then on as before
        bench.emit(system, 'last')
        eventually(lambda: 'last' in handled)
    finally:
        limit_messages(bench, 134_217_728)


def test_handler_running_during_a_reconnect_is_not_called_concurrently(
    bench: Any, proxy: Any
) -> None:
    inside, most, done, go_on = [], [0], [], Signal()

    def handle(event: Event) -> None:
        inside.append(event)
        most[0] = max(most[0], len(inside))
        go_on.wait()
        inside.remove(event)
        done.append(event.body['n'])

    system = bench.start(urls=f'amqp://{proxy.address}//')
    bench.subscribe(system, handle, sequential=True)
    bench.emit(system, 1)
    eventually(lambda: inside)
    before = proxy.accepted
    proxy.cut()
    eventually(lambda: proxy.accepted >= before + 2)
    bench.emit(system, 2)
    go_on.set()
    eventually(lambda: set(done) == {1, 2})
    assert most == [1]


def test_an_acknowledgement_of_a_lost_connection_is_not_sent_over_the_next(
    bench: Any, proxy: Any
) -> None:
    # Delivery tags begin at 1 on each channel: the late one would acknowledge another event.
    inside: list[str] = []
    done: list[str] = []
    go_on = {'old': Signal(), 'new': Signal()}

    def handle(event: Event) -> None:
        which = 'new' if inside else 'old'
        inside.append(which)
        go_on[which].wait()
        done.append(which)

    system = bench.start(urls=f'amqp://{proxy.address}//')
    bench.subscribe(system, handle)
    bench.emit(system)
    eventually(lambda: inside == ['old'])
    proxy.cut()
    eventually(lambda: inside == ['old', 'new'])
    go_on['old'].set()
    eventually(lambda: done == ['old'])
    bench.stop(system)  # cuts the new one short, whose event must still be there
    handled: list[int] = []
    bench.subscribe(bench.start(), lambda event: handled.append(event.attempt))
    eventually(lambda: handled)


def test_once_starts_no_other_event_if_the_connection_is_lost_before_a_retry(
    bench: Any, proxy: Any
) -> None:
    begun: list[Any] = []

    def handle(event: Event) -> None:
        begun.append(event.body['n'])
        if len(begun) == 1:
            proxy.cut()
            raise RuntimeError('not yet')

    system, emitter = bench.start(urls=f'amqp://{proxy.address}//'), bench.start()
    bench.subscribe(system, handle, once=True, durable=False, retry=1)
    for n in ('first', 'second'):
        bench.emit(emitter, n)
    eventually(lambda: len(begun) == 2)
    assert begun == ['first', 'first']


def test_unreachable_broker_is_one_line_for_emitters_consumers_and_failed_events(
    bench: Any, proxy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    failed, go_on = [], Signal()

    def handle(event: Event) -> None:
        go_on.wait()
        failed.append(event)
        raise EventRejected('bad')

    system = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=0.5)
    bench.subscribe(system, handle)
    more = Subscription(f'{bench.name}-2', (bench.topic,), handle, broadcast=True)
    system.subscribe(more)
    bench.emit(system)
    caplog.clear()
    proxy.refuse()
    go_on.set()
    eventually(lambda: len(failed) == 2)
    proxy.cut()
    with pytest.raises(EmitFailure):
        bench.emit(system)
    with pytest.raises(EmitFailure):
        bench.emit(system)
    proxy.heal()
    eventually(lambda: system._emitting.up.is_set() and system._consuming.up.is_set(), 20)
    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and 'the handler failed' not in record.getMessage()
    ]
    assert len(warnings) == 1, warnings
    assert 'lost the connection' in warnings[0]
