"""Unexpected errors cost an attempt or a connection, but no queue loses its consumer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import amqp
import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.core.failures import Killed
from lymph.events.base import Subscription
from lymph.events.kombu import BrokerError
from lymph.events.kombu._rabbitmq import failures
from lymph.events.kombu._rabbitmq.consuming_channels import ConsumingChannel
from lymph.events.kombu._rabbitmq.intake import Intake
from lymph.events.kombu._rabbitmq.names import DEFAULT_EXCHANGE
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.exceptions import EventRejected, SubscriptionError
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class Unforeseen(BaseException):
    """An error that no code expects."""


Break = Callable[..., list[BaseException]]


@pytest.fixture
def break_once(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Make a function raise at its first call; return the list to which it adds the error."""

    def break_once(owner: Any, name: str, error: BaseException) -> list[BaseException]:
        whole, raised = getattr(owner, name), []

        def broken(*args: Any, **kwargs: Any) -> Any:
            if not raised:
                raised.append(error)
                raise error
            return whole(*args, **kwargs)

        monkeypatch.setattr(owner, name, broken)
        return raised

    return break_once


@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
@pytest.mark.parametrize('options', [{'sequential': True}, {'exclusive': True}], ids=str)
def test_event_that_could_not_be_settled_is_redelivered(
    bench: Any, break_once: Break, queue_type: str, options: dict[str, Any]
) -> None:
    system, handled = bench.start(queue_type=queue_type, exchange=bench.name), []

    def handle(event: Event) -> None:
        handled.append(event.body['n'])
        if event.body['n'] == 'bad':
            raise RuntimeError('never')

    raised = break_once(failures, 'again', Unforeseen())
    bench.subscribe(system, handle, **options)
    bench.emit(system, 'bad')
    bench.emit(system, 'good')
    eventually(lambda: handled == ['bad', 'bad', 'good'], PATIENCE)
    assert raised
    (letter,) = eventually(lambda: system.dead_letters.read(bench.name), PATIENCE)
    assert letter.error == 'RuntimeError: never'


@pytest.mark.parametrize('options', [{'sequential': True}, {'exclusive': True}], ids=str)
@pytest.mark.parametrize(
    ('owner', 'name', 'error'),
    [
        (ConsumingChannel, '_send', RuntimeError()),  # acknowledging
        (ConsumingChannel, 'widen', RuntimeError()),
        (ConsumingChannel, 'widen', Unforeseen()),
        (Intake, 'put', RuntimeError()),
    ],
)
def test_queue_is_consumed_again_after_a_fault_in_its_consumer(
    bench: Any,
    break_once: Break,
    owner: Any,
    name: str,
    error: BaseException,
    options: dict[str, Any],
) -> None:
    system, handled = bench.start(), []
    raised = break_once(owner, name, error)
    bench.subscribe(system, lambda event: handled.append(event.body['n']), **options)
    for n in range(3):
        bench.emit(system, n)
    eventually(lambda: set(handled) == {0, 1, 2}, PATIENCE)
    assert raised


@pytest.mark.parametrize('link', ['_emitting', '_consuming'])
def test_connection_is_restored_after_a_fault_in_abandoning_the_last(
    bench: Any, proxy: Any, break_once: Break, link: str
) -> None:
    system, handled = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=PATIENCE), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    raised = break_once(getattr(system, link), '_abandon', Unforeseen())
    proxy.cut()
    bench.emit(system, 1)
    # twice, if the broker had it already and its confirmation was lost
    eventually(lambda: set(handled) == {1}, PATIENCE, lambda: str(handled))
    assert raised


def test_consumer_is_restored_after_a_connection_that_is_lost_at_once(
    bench: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, handled = bench.start(urls=f'amqp://{proxy.address}//', confirm_timeout=PATIENCE), []
    bench.subscribe(system, lambda event: handled.append(event.body['n']))
    open_next, lost = system._consuming._open, []

    def open_in_vain(broker: Any) -> Any:
        monkeypatch.setattr(system._consuming, '_open', open_next)
        lost.append(open_next(broker))
        eventually(system._consuming.up.linkcount, PATIENCE)  # the consumer waits for it
        lost[0].fail(ConnectionResetError('before anybody could use it'))
        return lost[0]

    monkeypatch.setattr(system._consuming, '_open', open_in_vain)
    proxy.cut()
    eventually(lambda: lost, PATIENCE)
    bench.emit(system, 1)
    eventually(lambda: set(handled) == {1}, PATIENCE, lambda: str(handled))


@pytest.mark.parametrize('options', [{'sequential': True}, {'exclusive': True}], ids=str)
def test_interrupted_subscription_consumes_nothing(
    bench: Any, proxy: Any, options: dict[str, Any]
) -> None:
    url = f'amqp://{proxy.address}//'
    system, first, second = bench.start(urls=url, confirm_timeout=PATIENCE), [], []
    before = bench.start()
    before.unsubscribe(bench.subscribe(before, print, **options))  # the queue is there
    system.subscribe(Subscription(f'{bench.name}.other', (bench.topic,), print, durable=False))
    proxy.blackhole()
    with gevent.Timeout(0.2, False):
        bench.subscribe(system, lambda event: first.append(event.body['n']), **options)
    proxy.heal()
    bench.subscribe(system, lambda event: second.append(event.body['n']), **options)
    for n in range(6):
        bench.emit(before, n)
    eventually(lambda: len(first + second) == 6, PATIENCE)
    assert first == []


@pytest.mark.parametrize('error', [None, RuntimeError, EventRejected, Killed])
def test_an_outcome_after_the_end_of_its_subscription_leaves_no_channel_open(
    bench: Any, error: type[BaseException] | None
) -> None:
    system, begun, go_on = bench.start(), [], Signal()

    def handle(event: Event) -> None:
        begun.append(event)
        go_on.wait()
        if error is not None:
            raise error

    kinds = {'once': {'once': True}, 'sequential': {'sequential': True}, 'all': {'broadcast': True}}
    kinds |= {'alone': {'exclusive': True}, 'short': {'durable': False}}
    subscriptions = [
        Subscription(f'{bench.name}.{name}', (bench.topic,), handle, retry=1, **options)
        for name, options in kinds.items()
    ]
    for subscription in subscriptions:
        system.subscribe(subscription)
    bench.emit(system)
    eventually(lambda: len(begun) == len(subscriptions), PATIENCE)
    for subscription in subscriptions:
        system.unsubscribe(subscription)
    go_on.set()
    eventually(lambda: list(system._consuming.connection.channels) == [0], PATIENCE)


def test_waiting_for_workers_is_repeated_after_a_fault(bench: Any, break_once: Break) -> None:
    system, handled, gate = bench.start(prefetch=2), [], Signal()

    def handle(event: Event) -> None:
        gate.wait()
        handled.append(event.body['n'])

    system.workers.start(gate.wait)  # of the two workers one is left
    raised = break_once(system.workers, 'wait_free', Unforeseen())
    bench.subscribe(system, handle)
    for n in range(4):
        bench.emit(system, n)
    eventually(lambda: raised, PATIENCE)
    gate.set()
    eventually(lambda: sorted(handled) == [0, 1, 2, 3], PATIENCE)


def test_unsendable_or_abandoned_publication_does_not_affect_others(bench: Any) -> None:
    system, handled = bench.start(confirm_timeout=PATIENCE), set()
    bench.subscribe(system, lambda event: handled.add(event.body['n']))

    def impossible(headers: dict[str, Any]) -> None:
        message = amqp.Message(b'x', application_headers=headers)
        publication = Publication(message, DEFAULT_EXCHANGE, bench.topic)
        with pytest.raises(BrokerError, match='cannot be sent'):
            system._now.publish(publication, PATIENCE)

    def refused(channel: Any) -> None:
        raise RuntimeError('not over this channel')

    def unprepared() -> None:
        message = amqp.Message(b'x', application_headers={})
        publication = Publication(message, DEFAULT_EXCHANGE, bench.topic, before=refused)
        with pytest.raises(BrokerError, match='cannot be sent: not over this channel'):
            system._now.publish(publication, PATIENCE)

    def interrupted() -> None:
        with gevent.Timeout(0, False):
            bench.emit(system, 'late')

    good, others, killed = [], [], []
    for n in range(100):
        good.append(gevent.spawn(bench.emit, system, n))
        others.append(gevent.spawn(impossible, {'x': '\udc80'}))
        others.append(gevent.spawn(impossible, {'x': 2**70}))
        others.append(gevent.spawn(unprepared))
        others.append(gevent.spawn(interrupted))
        killed.append(gevent.spawn(bench.emit, system, 'killed'))
    gevent.sleep(0)
    gevent.killall(killed, Killed)
    gevent.joinall(good + others, raise_error=True)
    eventually(lambda: set(range(100)) <= handled, PATIENCE)
    bench.emit(system, 'last')
    eventually(lambda: 'last' in handled, PATIENCE)


@pytest.mark.parametrize('name', ['q' * 300, '\udcff', 'a\nb'])
def test_invalid_queue_name_is_rejected_and_named(bench: Any, name: str) -> None:
    system = bench.start()
    with pytest.raises(SubscriptionError, match='expected a queue name'):
        system.has_queue(name)
    bench.emit(system)
