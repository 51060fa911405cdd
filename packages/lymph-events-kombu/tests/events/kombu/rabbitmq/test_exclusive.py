"""Exclusive queues while connections break and the broker restarts."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.events.backoff import Backoff
from lymph.events.kombu._rabbitmq import intake
from lymph.exceptions import SubscriptionError
from lymph.testing.contracts.events import Gate, Inbox
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually, let_pass


def through(proxy: FaultProxy) -> dict[str, Any]:
    return {'urls': f'amqp://guest:guest@{proxy.address}//'}


def firsts(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


@pytest.fixture(params=['quorum', 'classic'])
def kind(request: pytest.FixtureRequest) -> dict[str, str]:
    return {'queue_type': request.param, 'exchange': f'lymph-exclusive-{request.param}'}


def test_after_a_cut_the_running_handler_ends_before_its_event_is_redelivered(bench, proxy, kind):
    emitter = bench.start(**kind)
    consumer = bench.start(**kind, **through(proxy))
    gate = Gate()
    bench.subscribe(consumer, gate, exclusive=True)
    for n in (1, 2, 3):
        bench.emit(emitter, n)
    eventually(lambda: gate.inside, 10)
    proxy.cut()
    eventually(lambda: consumer._consuming.up.is_set() and proxy.connections > 0, 10)
    let_pass(1, 'in which its event would come again')
    assert len(gate.inside) == 1
    gate.open()
    eventually(lambda: len(gate.done) == 4, 10)
    assert [event.body['n'] for event in gate.done] == [1, 1, 2, 3]
    assert gate.most == 1


def test_after_a_cut_an_event_waiting_for_a_retry_is_retried_at_once(bench, proxy, kind):
    emitter = bench.start(**kind)
    consumer = bench.make(**kind, **through(proxy))
    consumer._backoff = Backoff(first=300)
    consumer.on_start()
    bench.systems.append(consumer)

    def fail(event: Event) -> None:
        if event.attempt == 1 and event.body['n'] == 1:
            raise RuntimeError('not yet')

    inbox = Inbox(fail)
    bench.subscribe(consumer, inbox, exclusive=True, retry=5)
    for n in (1, 2):
        bench.emit(emitter, n)
    eventually(lambda: inbox.numbers == [1], 10)
    proxy.cut()
    eventually(lambda: inbox.numbers == [1, 1, 2], 20)


def test_event_waiting_for_a_worker_is_not_handled_if_its_queue_is_lost(bench, proxy, kind):
    first = bench.start(**kind, prefetch=1, **through(proxy))
    second = bench.start(**kind)
    busy, stale, inbox = Gate(), Inbox(), Inbox()
    first.workers.start(busy, Event('other'))
    bench.subscribe(first, stale, exclusive=True)
    bench.emit(second, 1)
    eventually(lambda: second.queues.find(bench.name).waiting == 0, 10)  # it is delivered
    bench.subscribe(second, inbox, exclusive=True)
    proxy.blackhole()
    bench.emit(second, 2)
    eventually(lambda: inbox.numbers == [1, 2], 20)
    proxy.heal()
    busy.open()
    eventually(lambda: busy.done, 10)
    bench.emit(second, 3)
    eventually(lambda: inbox.numbers == [1, 2, 3], 20)
    assert stale.events == []


def test_order_is_kept_when_the_broker_is_killed(bench):
    first, second, emitter = bench.start(), bench.start(), bench.start()
    handled: list[int] = []
    running: list[int] = []
    most: list[int] = []

    def handle(event: Event) -> None:
        running.append(event.body['n'])
        most.append(len(running))
        handled.append(event.body['n'])
        let_pass(0.02, 'a handler during which others could run')
        running.pop()

    for system in (first, second):
        bench.subscribe(system, handle, exclusive=True)
    for n in range(100):
        bench.emit(emitter, n)
    eventually(lambda: len(handled) >= 10, 20)
    bench.kill_server()
    eventually(lambda: set(handled) == set(range(100)), 60)
    assert firsts(handled) == list(range(100))
    assert len(handled) <= 102


def without_repetitions(inbox):
    """The numbers that arrived, each once: the closed connection of a consumer repeats some."""
    return list(dict.fromkeys(inbox.numbers))


def test_unnoticed_loss_of_a_queue_is_detected_before_an_event_is_handled(
    bench, proxy, kind, in_thread, monkeypatch
):
    for patience in ('_STUCK', '_LONGEST_WAIT'):
        monkeypatch.setattr(intake, patience, 60)  # what waits is not given back
    first = bench.start(prefetch=1, heartbeat=30, **kind, **through(proxy))
    second = bench.start(**kind)
    busy, stale, inbox = Gate(), Inbox(), Inbox()
    first.workers.start(busy, Event('other'))
    bench.subscribe(first, stale, exclusive=True)
    bench.emit(second, 1)
    eventually(lambda: second.queues.find(bench.name).waiting == 0, 10)  # it is delivered
    bench.subscribe(second, inbox, exclusive=True)
    proxy.blackhole('to_client')
    in_thread(bench.server.control, 'close_all_connections', 'for a test')
    bench.emit(second, 2)  # whose connections are closed too: it has to consume over new ones
    eventually(lambda: without_repetitions(inbox) == [1, 2], 20, lambda: str(inbox.numbers))
    busy.open()
    eventually(lambda: busy.done, 10)
    let_pass(0.5, 'in which it asks, and hears nothing')
    proxy.heal()
    bench.emit(second, 3)
    eventually(lambda: without_repetitions(inbox) == [1, 2, 3], 20, lambda: str(inbox.numbers))
    assert stale.events == []


def test_end_during_the_subscription_is_noticed_at_once(bench, kind, monkeypatch):
    system, declaring = bench.start(**kind), Signal()
    monkeypatch.setattr(
        system._topology, 'declare_queue', lambda *args: declaring.set() or Signal().wait()
    )
    subscribing = gevent.spawn(bench.subscribe, system, Inbox(), exclusive=True)
    declaring.wait(5)
    system.pause()
    with pytest.raises(SubscriptionError, match='ended meanwhile'):
        subscribing.get(timeout=5)
