"""The contract of event systems, as tests.

A backend's author runs them by subclassing, for pytest to collect::

    class TestMyEventSystem(EventSystemContract):
        def make_event_system(self):
            return MyEventSystem(...)

- All systems made in one test are instances that reach each other: the same broker, file or hub.
- The suite starts and stops them. Queues and topics have names of their own in each test, so that
  a broker may be shared by all tests, and by other things.
- What a backend cannot promise it says by a class attribute; each is described where it stands.
"""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import gevent
import pytest
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.deadletters import DeadLetter
from lymph.exceptions import EmitFailure, SerializationError, SubscriptionError
from lymph.testing.waiting import eventually

__all__ = ['EventSystemContract', 'Inbox']


class Inbox:
    """A handler that keeps what it is given; `fail` is called first, with each event."""

    def __init__(self, fail: Callable[[Event], object] | None = None) -> None:
        self.events: list[Event] = []
        self.fail = fail

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.fail is not None:
            self.fail(event)

    @property
    def numbers(self) -> list[Any]:
        """The parameter `n` of each event, in the order of arrival."""
        return [event.body['n'] for event in self.events]


class _Gate:
    """A handler that holds every event until it is opened."""

    def __init__(self) -> None:
        self.inside: list[Event] = []
        self.most = 0
        self.done: list[Event] = []
        self._open = Signal()

    def __call__(self, event: Event) -> None:
        self.inside.append(event)
        self.most = max(self.most, len(self.inside))
        try:
            self._open.wait()
        finally:
            self.inside.remove(event)
        self.done.append(event)

    def open(self) -> None:
        self._open.set()


def _broken(event: Event) -> None:
    raise RuntimeError(f'cannot handle {event.body.get("n")}')


class EventSystemContract:
    """Tests that every event system passes."""

    #: seconds to wait for what has to happen
    patience: ClassVar[float] = 10.0
    #: seconds in which an event that must not arrive would have
    settling: ClassVar[float] = 0.3
    #: whether the queues live on when no instance runs
    persistent: ClassVar[bool] = True

    def make_event_system(self) -> BaseEventSystem:
        """Return a new instance, not started, that reaches the others made in this test."""
        raise NotImplementedError

    def read_dead_letters(self, system: BaseEventSystem, queue: str) -> list[DeadLetter]:
        """Return the dead letters of a queue."""
        assert system.dead_letters is not None
        return list(system.dead_letters.read(queue))

    # What the tests are written in.

    def setup_method(self) -> None:
        """Begin a test with a name of its own and no systems."""
        self._name = f't{secrets.token_hex(6)}'
        self._systems: list[BaseEventSystem] = []

    def teardown_method(self) -> None:
        """Stop every system that was started; their temporary queues end."""
        systems, self._systems = self._systems, []
        for system in systems:
            self._end(system)

    def start(self, pool_size: int | None = None) -> BaseEventSystem:
        """Return a started system whose workers run at most `pool_size` handlers."""
        system = self.make_event_system()
        system._workers = Workers(pool_size)  # noqa: SLF001 - as a container would give it
        system.on_start()
        self._systems.append(system)
        return system

    def stop(self, system: BaseEventSystem) -> None:
        """Stop a system as a container does, cutting the handlers that still run."""
        self._systems.remove(system)
        self._end(system)

    def subscribe(
        self,
        system: BaseEventSystem,
        handler: Callable[[Event], Any],
        *topics: str,
        queue: str = 'queue',
        **options: Any,
    ) -> Subscription:
        """Subscribe `handler` to topics of this test and return the subscription."""
        subscription = Subscription(
            queue_name=self.queue(queue),
            event_types=tuple(self.topic(topic) for topic in topics or ('thing',)),
            handler=handler,
            **options,
        )
        system.subscribe(subscription)
        return subscription

    def emit(
        self, system: BaseEventSystem, n: Any = 0, topic: str = 'thing', **options: Any
    ) -> Event:
        """Emit an event with the parameter `n` and return it."""
        event = Event(self.topic(topic), {'n': n})
        system.emit(event, **options)
        return event

    def topic(self, topic: str) -> str:
        """Return a topic, or a pattern, that only this test uses."""
        return f'{self._name}.{topic}'

    def queue(self, name: str = 'queue') -> str:
        """Return the name of a queue that only this test uses."""
        return f'{self._name}.{name}'

    def eventually(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition as long as this backend may need."""
        return eventually(condition, self.patience)

    def settle(self) -> None:
        """Give an event that must not arrive the time to do so."""
        gevent.sleep(self.settling)

    def _end(self, system: BaseEventSystem) -> None:
        system.pause()
        system.workers.kill()
        system.on_stop()
        system.pool.kill()

    # From emitter to handler.

    def test_an_event_arrives_as_it_was_emitted(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        body = {
            'text': 'grüße',
            'bytes': b'\x00\xff',
            'list': [1, -2.5, None, True],
            'map': {'a': {'b': 'c'}},
            'set': {1, 2},
            'when': datetime.datetime(2016, 2, 19, 12, 30, 0, 1, datetime.timezone.utc),
            'day': datetime.date(2016, 2, 19),
            'id': UUID(int=7),
            'price': Decimal('12.50'),
        }
        sent = Event(self.topic('thing'), body, source='shop', headers={'trace_id': 'abc', 'x': 1})
        system.emit(sent)
        self.eventually(lambda: inbox.events)
        (event,) = inbox.events
        assert event.body == body
        assert (event.type, event.source, event.id) == (sent.type, 'shop', sent.id)
        assert event.headers['trace_id'] == 'abc'
        assert event.headers['x'] == 1
        assert event.attempt == 1

    def test_an_event_reaches_the_handlers_of_another_instance(self) -> None:
        emitter, consumer, inbox = self.start(), self.start(), Inbox()
        self.subscribe(consumer, inbox)
        self.emit(emitter, 1)
        self.eventually(lambda: inbox.numbers == [1])

    def test_every_queue_gets_the_event_once(self) -> None:
        system, first, second = self.start(), Inbox(), Inbox()
        self.subscribe(system, first, 'thing', '*', '#', queue='first')
        self.subscribe(system, second, '*', queue='second')
        self.emit(system, 1)
        self.eventually(lambda: first.numbers and second.numbers)
        self.settle()
        assert (first.numbers, second.numbers) == ([1], [1])

    def test_each_handler_has_an_event_of_its_own(self) -> None:
        system, first, second = self.start(), Inbox(), Inbox()
        first.fail = second.fail = lambda event: event.body.update(n=event.body['n'] + 1)
        self.subscribe(system, first, queue='first')
        self.subscribe(system, second, queue='second')
        sent = self.emit(system, 1)
        self.eventually(lambda: first.numbers == [2] and second.numbers == [2])
        assert sent.body == {'n': 1}

    def test_events_of_one_emitter_arrive_in_their_order_when_taken_one_by_one(self) -> None:
        system, inbox = self.start(), Inbox(lambda event: gevent.sleep(0))
        self.subscribe(system, inbox, sequential=True)
        for n in range(50):
            self.emit(system, n)
        self.eventually(lambda: len(inbox.events) == 50)
        assert inbox.numbers == list(range(50))

    def test_many_emitters_at_once_lose_nothing(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        emitters = [gevent.spawn(self.emit, system, n) for n in range(200)]
        gevent.joinall(emitters, raise_error=True)
        self.eventually(lambda: sorted(inbox.numbers) == list(range(200)))

    def test_an_event_that_nobody_collects_is_gone(self) -> None:
        system, inbox = self.start(), Inbox()
        self.emit(system, 1)
        self.subscribe(system, inbox)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [2]

    # Topics.

    @pytest.mark.parametrize(
        ('pattern', 'inside', 'outside'),
        [
            ('order.paid', ['order.paid'], ['order', 'order.paid.late', 'orders.paid']),
            ('order.*', ['order.paid', 'order.sent'], ['order', 'order.paid.late']),
            ('order.#', ['order', 'order.paid', 'order.paid.late'], ['orders']),
            ('*.late', ['order.late'], ['late', 'order.paid.late']),
            ('#.late', ['late', 'order.paid.late'], ['late.order']),
            ('a.#.b', ['a.b', 'a.x.y.b'], ['a', 'b', 'a.b.c']),
        ],
    )
    def test_a_pattern_collects_the_topics_it_stands_for(
        self, pattern: str, inside: list[str], outside: list[str]
    ) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox, pattern)
        for topic in [*outside, *inside]:
            self.emit(system, topic, topic)
        self.eventually(lambda: len(inbox.events) >= len(inside))
        self.settle()
        assert sorted(inbox.numbers) == sorted(inside)

    @pytest.mark.parametrize('topic', ['', 'a..b', '.a', 'a b', 'a.*', '#', 'x' * 256])
    def test_an_event_type_that_is_no_topic_is_refused(self, topic: str) -> None:
        system = self.start()
        with pytest.raises(ValueError, match='expected an event type'):
            system.emit(Event(topic, {}))

    @pytest.mark.parametrize('topic', ['', 'a..b', 'a.', 'a b', 'a.b*', '##', 'x' * 256])
    def test_a_subscription_to_what_is_no_topic_is_refused(self, topic: str) -> None:
        system = self.start()
        with pytest.raises(SubscriptionError, match=r'expected'):
            system.subscribe(Subscription(self.queue(), (topic,), Inbox()))

    # Who is given an event.

    def test_instances_that_consume_one_queue_share_its_events(self) -> None:
        first, second, emitter = self.start(2), self.start(2), self.start()
        gates = [_Gate(), _Gate()]
        for system, gate in zip((first, second), gates, strict=True):
            self.subscribe(system, gate)
        for n in range(4):
            self.emit(emitter, n)
        self.eventually(lambda: [len(gate.inside) for gate in gates] == [2, 2])
        for gate in gates:
            gate.open()
        self.eventually(lambda: sum(len(gate.done) for gate in gates) == 4)
        self.settle()
        handled = [event.body['n'] for gate in gates for event in gate.done]
        assert sorted(handled) == [0, 1, 2, 3]

    def test_a_broadcast_reaches_every_instance(self) -> None:
        emitter, inboxes = self.start(), [Inbox(), Inbox(), Inbox()]
        for inbox in inboxes:
            self.subscribe(self.start(), inbox, broadcast=True, durable=False)
        self.emit(emitter, 1)
        self.eventually(lambda: all(inbox.events for inbox in inboxes))
        self.settle()
        assert [inbox.numbers for inbox in inboxes] == [[1], [1], [1]]

    def test_once_is_given_one_event_in_all(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox, once=True, durable=False)
        for n in range(3):
            self.emit(system, n)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [0]

    def test_once_can_be_subscribed_again_when_it_is_over(self) -> None:
        system, inbox = self.start(), Inbox()
        for n in range(2):
            self.eventually(lambda: self._subscribes_once(system, inbox))
            self.emit(system, n)
            self.eventually(lambda n=n: len(inbox.events) == n + 1)  # type: ignore[misc]
        assert inbox.numbers == [0, 1]

    def _subscribes_once(self, system: BaseEventSystem, inbox: Inbox) -> bool:
        try:
            self.subscribe(system, inbox, once=True, durable=False)
        except SubscriptionError:
            return False
        return True

    def test_a_sequential_subscription_is_given_one_event_at_a_time(self) -> None:
        system, gate = self.start(), _Gate()
        self.subscribe(system, gate, sequential=True)
        for n in range(5):
            self.emit(system, n)
        self.eventually(lambda: gate.inside)
        self.settle()
        assert len(gate.inside) == 1
        gate.open()
        self.eventually(lambda: len(gate.done) == 5)
        assert gate.most == 1

    def test_without_sequential_events_are_handled_at_the_same_time(self) -> None:
        system, gate = self.start(), _Gate()
        self.subscribe(system, gate)
        for n in range(5):
            self.emit(system, n)
        self.eventually(lambda: len(gate.inside) == 5)
        gate.open()
        self.eventually(lambda: len(gate.done) == 5)

    def test_no_more_handlers_run_than_there_are_workers(self) -> None:
        system, gate = self.start(pool_size=3), _Gate()
        self.subscribe(system, gate)
        for n in range(10):
            self.emit(system, n)
        self.eventually(lambda: len(gate.inside) == 3)
        self.settle()
        assert len(gate.inside) == 3
        gate.open()
        self.eventually(lambda: len(gate.done) == 10)
        assert gate.most == 3

    def test_what_one_instance_has_no_room_for_another_one_takes(self) -> None:
        full, idle, emitter = self.start(pool_size=1), self.start(), self.start()
        gate, inbox = _Gate(), Inbox()
        self.subscribe(full, gate)
        self.emit(emitter, 0)
        self.eventually(lambda: gate.inside)
        self.subscribe(idle, inbox)
        for n in range(1, 6):
            self.emit(emitter, n)
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2, 3, 4, 5])
        gate.open()

    # Beginning and ending.

    def test_two_subscriptions_of_an_instance_cannot_consume_one_queue(self) -> None:
        system = self.start()
        self.subscribe(system, Inbox())
        with pytest.raises(SubscriptionError, match='queue'):
            self.subscribe(system, Inbox(), 'other')

    def test_an_ended_subscription_is_given_nothing(self) -> None:
        system, gone, stays = self.start(), Inbox(), Inbox()
        subscription = self.subscribe(system, gone, queue='gone')
        self.subscribe(system, stays, queue='stays')
        system.unsubscribe(subscription)
        system.unsubscribe(subscription)
        self.emit(system, 1)
        self.eventually(lambda: stays.events)
        self.settle()
        assert gone.events == []

    def test_a_durable_queue_collects_while_nobody_consumes_it(self) -> None:
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, inbox))
        self.emit(system, 1)
        self.subscribe(system, inbox)
        self.eventually(lambda: inbox.numbers == [1])

    def test_a_durable_queue_outlives_its_instance(self) -> None:
        consumer, emitter, inbox = self.start(), self.start(), Inbox()
        self.subscribe(consumer, Inbox())
        self.stop(consumer)
        self.emit(emitter, 1)
        self.subscribe(self.start(), inbox)
        self.eventually(lambda: inbox.numbers == [1])

    def test_events_outlive_all_instances(self) -> None:
        if not self.persistent:
            return
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, Inbox()))
        self.emit(system, 1)
        self.emit(system, 2, delay=0.5)
        self.stop(system)
        self.subscribe(self.start(), inbox)
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2])

    @pytest.mark.parametrize('options', [{'broadcast': True}, {'once': True}, {}])
    def test_a_temporary_queue_ends_with_its_subscription(self, options: dict[str, Any]) -> None:
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, Inbox(), durable=False, **options))
        self.emit(system, 1)
        self.subscribe(system, inbox, durable=False, **options)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [2]

    def test_a_paused_instance_fetches_no_more_and_settles_what_runs(self) -> None:
        paused, other, emitter = self.start(pool_size=1), self.start(), self.start()
        gate, inbox = _Gate(), Inbox()
        self.subscribe(paused, gate)
        self.emit(emitter, 1)
        self.eventually(lambda: gate.inside)
        paused.pause()
        gate.open()
        self.eventually(lambda: gate.done)
        self.subscribe(other, inbox)
        for n in range(2, 6):
            self.emit(emitter, n)
        self.eventually(lambda: sorted(inbox.numbers) == [2, 3, 4, 5])
        self.stop(paused)
        self.settle()
        assert [event.body['n'] for event in gate.done] == [1]
        assert sorted(inbox.numbers) == [2, 3, 4, 5]

    def test_an_instance_that_is_stopped_hands_its_events_to_the_others(self) -> None:
        stopped, other, gate, inbox = self.start(), self.start(), _Gate(), Inbox()
        self.subscribe(stopped, gate)
        self.emit(other, 1)
        self.eventually(lambda: gate.inside)
        self.subscribe(other, inbox)
        self.stop(stopped)
        self.eventually(lambda: inbox.numbers == [1])
        assert inbox.events[0].attempt == 2

    def test_a_stopped_instance_emits_nothing(self) -> None:
        system = self.start()
        self.stop(system)
        with pytest.raises(EmitFailure):
            self.emit(system, 1)

    # Delays.

    def test_a_delayed_event_arrives_after_those_emitted_later(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 1, delay=1.0)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        assert inbox.numbers == [2]
        self.eventually(lambda: inbox.numbers == [2, 1])

    def test_delays_of_different_length_do_not_wait_for_each_other(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 'later', delay=60)
        self.emit(system, 'soon', delay=0.3)
        self.eventually(lambda: inbox.numbers == ['soon'])

    @pytest.mark.parametrize('delay', [-1, float('nan'), float('inf')])
    def test_a_delay_that_is_no_time_to_wait_is_refused(self, delay: float) -> None:
        system = self.start()
        with pytest.raises(ValueError, match='delay'):
            self.emit(system, 1, delay=delay)

    # Failures.

    def test_a_payload_that_cannot_travel_is_refused_and_named(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        with pytest.raises(SerializationError, match=r'order\.items\[1\]'):
            system.emit(Event(self.topic('thing'), {'order': {'items': [1, object()]}}))
        self.emit(system, 1)
        self.eventually(lambda: inbox.numbers == [1])

    def test_a_failed_event_is_handled_in_a_later_attempt(self) -> None:
        def fail_at_first(event: Event) -> None:
            if event.attempt < 3:
                raise RuntimeError('not yet')

        system, inbox = self.start(), Inbox(fail_at_first)
        self.subscribe(system, inbox, retry=2)
        sent = self.emit(system, 1)
        self.eventually(lambda: len(inbox.events) == 3)
        self.settle()
        assert [event.attempt for event in inbox.events] == [1, 2, 3]
        assert {event.id for event in inbox.events} == {sent.id}
        assert self.read_dead_letters(system, self.queue()) == []

    def test_a_failing_event_does_not_hold_up_the_next_one(self) -> None:
        def fail(event: Event) -> None:
            if event.body['n'] == 'bad':
                raise RuntimeError('never')

        system, inbox = self.start(), Inbox(fail)
        self.subscribe(system, inbox, retry=1, sequential=True)
        self.emit(system, 'bad')
        self.emit(system, 'good')
        self.eventually(lambda: inbox.numbers == ['bad', 'good', 'bad'])

    @pytest.mark.parametrize('retry', [0, 1])
    def test_an_event_that_keeps_failing_becomes_a_dead_letter(self, retry: int) -> None:
        system, inbox = self.start(), Inbox(_broken)
        self.subscribe(system, inbox, retry=retry)
        event = Event(self.topic('thing'), {'n': 7}, headers={'trace_id': 'abc'})
        system.emit(event)
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        assert len(inbox.events) == 1 + retry
        assert letter.queue == self.queue()
        assert letter.attempts == 1 + retry
        assert 'cannot handle 7' in letter.error
        assert letter.trace_id == 'abc'
        assert letter.event is not None
        assert (letter.event.id, letter.event.body) == (event.id, {'n': 7})

    def test_a_handler_that_runs_into_a_timeout_has_failed(self) -> None:
        def late(event: Event) -> None:
            raise gevent.Timeout(1)

        system = self.start()
        self.subscribe(system, late)
        self.emit(system, 1)
        self.eventually(lambda: self.read_dead_letters(system, self.queue()))

    def test_a_handler_that_is_cut_short_gives_its_event_to_another(self) -> None:
        def cut(event: Event) -> None:
            if event.attempt == 1:
                raise gevent.GreenletExit

        system, inbox = self.start(), Inbox(cut)
        self.subscribe(system, inbox)
        self.emit(system, 1)
        self.eventually(lambda: [event.attempt for event in inbox.events] == [1, 2])
        self.settle()
        assert self.read_dead_letters(system, self.queue()) == []
