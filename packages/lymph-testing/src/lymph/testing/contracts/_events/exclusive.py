"""Exclusive queues have one consumer among all instances, and keep their order."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from lymph.core.events import Event
from lymph.core.failures import Killed
from lymph.events.base import Subscription
from lymph.exceptions import EventRejected, SubscriptionError
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox

__all__ = ['ExclusiveContract']


class ExclusiveContract(EventSystemHarness):
    """Tests that all instances together handle one event at a time, in the order of the queue."""

    def test_an_exclusive_queue_is_listed_with_its_consumer(self) -> None:
        """An exclusive queue has one consumer, and counts its waiting events."""
        system, other, gate = self.start(), self.start(), Gate()
        self.subscribe(system, gate, exclusive=True)
        for n in range(3):
            self.emit(system, n)
        self.eventually(lambda: gate.inside)
        queues = other.queues
        assert queues is not None

        def counted() -> bool:
            state = queues.find(self.queue())
            return state is not None and (state.waiting, state.consumers) == (2, 1)

        self.eventually(counted)
        gate.open()
        self.eventually(lambda: len(gate.done) == 3)

    def test_one_of_many_instances_handles_all_events_in_order(self) -> None:
        """A single instance handles all events, one at a time and in order."""
        running: list[Event] = []
        most: list[int] = []
        inboxes = [Inbox(), Inbox(), Inbox()]
        handled: list[Any] = []

        def note(event: Event) -> None:
            running.append(event)
            most.append(len(running))
            gevent.sleep(0.002)
            handled.append(event.body['n'])
            running.remove(event)

        for inbox in inboxes:
            inbox.fail = note
            self.subscribe(self.start(), inbox, exclusive=True)
        emitter = self.start()
        for n in range(20):
            self.emit(emitter, n)
        self.eventually(lambda: len(handled) >= 20)
        assert handled == list(range(20))
        assert max(most) == 1
        assert [bool(inbox.events) for inbox in inboxes].count(True) == 1

    def test_standby_instance_continues_where_the_consumer_left(self) -> None:
        """When the consumer unsubscribes, a standby instance handles the events that follow."""
        emitter, first, second = self.start(), Inbox(), Inbox()
        leaving = self.start()
        subscription = self.subscribe(leaving, first, exclusive=True)
        self.subscribe(self.start(), second, exclusive=True)
        self.emit(emitter, 1)
        self.eventually(lambda: first.numbers == [1])
        leaving.unsubscribe(subscription)
        for n in (2, 3, 4):
            self.emit(emitter, n)
        self.eventually(lambda: second.numbers == [2, 3, 4])
        assert first.numbers == [1]

    def test_instance_that_left_can_consume_again(self) -> None:
        """An instance can subscribe again, and gets the events emitted in between."""
        system, first, second = self.start(), Inbox(), Inbox()
        system.unsubscribe(self.subscribe(system, first, exclusive=True))
        self.emit(system, 1)
        self.subscribe(system, second, exclusive=True)
        self.emit(system, 2)
        self.eventually(lambda: second.numbers == [1, 2])
        assert first.numbers == []

    def test_queue_is_released_when_the_running_handler_has_ended(self) -> None:
        """No other instance takes over while a handler of the leaving consumer runs."""
        leaving, emitter, gate, inbox = self.start(), self.start(), Gate(), Inbox()
        subscription = self.subscribe(leaving, gate, exclusive=True)
        self.subscribe(self.start(), inbox, exclusive=True)
        for n in (1, 2, 3):
            self.emit(emitter, n)
        self.eventually(lambda: gate.inside)
        leaving.unsubscribe(subscription)
        self.settle()
        assert inbox.events == []
        gate.open()
        self.eventually(lambda: inbox.numbers == [2, 3])
        assert [event.body['n'] for event in gate.done] == [1]

    def test_paused_instance_releases_its_queues(self) -> None:
        """A paused instance releases idle queues at once, others when their handler ends."""
        paused, emitter, gate, inbox = self.start(), self.start(), Gate(), Inbox()
        self.subscribe(paused, gate, exclusive=True)
        self.subscribe(self.start(), inbox, exclusive=True)
        idle = self.subscribe(paused, Inbox(), 'other', queue='idle', exclusive=True)
        for n in (1, 2):
            self.emit(emitter, n)
        self.eventually(lambda: gate.inside)
        paused.pause()
        other = Inbox()
        self.subscribe(self.start(), other, 'other', queue='idle', exclusive=True)
        self.emit(emitter, 3, 'other')
        self.eventually(lambda: other.numbers == [3])
        assert inbox.events == []
        gate.open()
        self.eventually(lambda: inbox.numbers == [2])
        paused.unsubscribe(idle)

    def test_event_of_a_stopped_instance_is_handled_first(self) -> None:
        """The event a stopped instance was handling comes first on the next one, as attempt 2."""
        stopped, emitter, gate, inbox = self.start(), self.start(), Gate(), Inbox()
        self.subscribe(stopped, gate, exclusive=True)
        self.subscribe(self.start(), inbox, exclusive=True)
        for n in (1, 2, 3):
            self.emit(emitter, n)
        self.eventually(lambda: gate.inside)
        self.stop(stopped)
        self.eventually(lambda: inbox.numbers == [1, 2, 3])
        assert inbox.events[0].attempt == 2

    def test_a_failed_event_is_tried_again_before_the_next(self) -> None:
        """If a handler raises, the event is retried before later events, so the order is kept."""

        def fail_at_first(event: Event) -> None:
            if event.body['n'] == 1 and event.attempt < 3:
                raise RuntimeError('not yet')

        system, inbox = self.start(), Inbox(fail_at_first)
        self.subscribe(system, inbox, exclusive=True, retry=2)
        for n in (1, 2, 3):
            self.emit(system, n)
        self.eventually(lambda: len(inbox.events) == 5)
        assert inbox.numbers == [1, 1, 1, 2, 3]
        assert [event.attempt for event in inbox.events] == [1, 2, 3, 1, 1]
        assert self.read_dead_letters(system, self.queue()) == []

    def test_an_event_that_waits_to_be_tried_again_goes_with_its_queue(self) -> None:
        """If a handler raises and its instance leaves, the next consumer retries that event."""

        def fail(event: Event) -> None:
            if event.body['n'] == 1:
                raise RuntimeError('not here')

        leaving, emitter, first, second = self.start(), self.start(), Inbox(fail), Inbox()
        subscription = self.subscribe(leaving, first, exclusive=True, retry=9)
        self.subscribe(self.start(), second, exclusive=True, retry=9)
        for n in (1, 2):
            self.emit(emitter, n)
        self.eventually(lambda: first.events)
        leaving.unsubscribe(subscription)
        self.eventually(lambda: second.numbers == [1, 2])
        assert set(first.numbers) == {1}

    def test_an_event_that_keeps_failing_is_given_up_and_the_queue_goes_on(self) -> None:
        """If a handler always raises, the event is a dead letter after its retries."""

        def fail(event: Event) -> None:
            if event.body['n'] == 'bad':
                raise RuntimeError('never')

        system, inbox = self.start(), Inbox(fail)
        self.subscribe(system, inbox, exclusive=True, retry=1)
        for n in ('bad', 'good', 'better'):
            self.emit(system, n)
        self.eventually(lambda: inbox.numbers == ['bad', 'bad', 'good', 'better'])
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        assert letter.attempts == 2
        assert 'never' in letter.error

    @pytest.mark.parametrize('exclusive', [False, True])
    def test_a_rejected_event_is_a_dead_letter_at_once(self, exclusive: bool) -> None:
        """If a handler raises EventRejected, the event is not retried."""

        def reject(event: Event) -> None:
            raise EventRejected('cannot be handled by anybody')

        system, inbox = self.start(), Inbox(reject)
        self.subscribe(system, inbox, exclusive=exclusive, retry=5)
        self.emit(system, 1)
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        assert (letter.attempts, inbox.numbers) == (1, [1])
        assert 'cannot be handled by anybody' in letter.error

    def test_a_declared_queue_can_be_consumed_alone(self) -> None:
        """A queue declared as exclusive collects events for a later exclusive subscription."""
        system, inbox = self.start(), Inbox()
        subscription = Subscription(self.queue(), (self.topic('thing'),), inbox, exclusive=True)
        system.declare(subscription)
        self.emit(system, 1)
        system.subscribe(subscription)
        self.eventually(lambda: inbox.numbers == [1])

    @pytest.mark.parametrize('options', [{'broadcast': True}, {'once': True}, {'durable': False}])
    def test_a_queue_of_one_instance_cannot_be_exclusive(self, options: dict[str, Any]) -> None:
        """`exclusive` raises SubscriptionError with `broadcast`, `once` or `durable=False`."""
        with pytest.raises(SubscriptionError, match='durable'):
            self.subscribe(self.start(), Inbox(), exclusive=True, **options)

    def test_a_handler_that_is_cut_short_is_called_again_before_the_next_event(self) -> None:
        """If a handler raises Killed, its event is delivered again before later events."""

        def cut(event: Event) -> None:
            if event.body['n'] == 1 and event.attempt == 1:
                raise Killed  # as lymph ends a handler

        system, inbox = self.start(), Inbox(cut)
        self.subscribe(system, inbox, exclusive=True)
        for n in (1, 2):
            self.emit(system, n)
        self.eventually(lambda: len(inbox.events) == 3)
        assert inbox.numbers == [1, 1, 2]
