"""The lifetimes of queues: with a subscription, an instance, or beyond."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.events.base import Subscription
from lymph.exceptions import EmitFailure, SubscriptionError
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox

__all__ = ['LifetimesContract']


class LifetimesContract(EventSystemHarness):
    """Tests of what ends with a subscription or an instance, and what does not."""

    def test_two_subscriptions_of_an_instance_cannot_consume_one_queue(self) -> None:
        """The second subscription of an instance to a queue raises SubscriptionError."""
        system = self.start()
        self.subscribe(system, Inbox())
        with pytest.raises(SubscriptionError, match='queue'):
            self.subscribe(system, Inbox(), 'other')

    def test_an_ended_subscription_is_given_nothing(self) -> None:
        """After `unsubscribe`, which may be repeated, the handler gets no more events."""
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
        """Events of a durable queue without consumers wait for the next one."""
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, inbox))
        self.emit(system, 1)
        self.subscribe(system, inbox)
        self.eventually(lambda: inbox.numbers == [1])

    def test_a_declared_queue_collects_for_whoever_consumes_it_later(self) -> None:
        """A declared queue collects events for all its patterns; declaring it twice is harmless."""
        declarer, consumer, inbox = self.start(), self.start(), Inbox()
        topics = (self.topic('thing'), self.topic('#.late'))
        declarer.declare(Subscription(self.queue(), topics, Inbox()))
        declarer.declare(Subscription(self.queue(), topics, Inbox()))
        self.emit(declarer, 1)
        self.emit(declarer, 2, 'much.too.late')
        self.subscribe(consumer, inbox, 'thing', '#.late')
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2])

    def test_a_queue_is_there_from_its_declaration_on(self) -> None:
        """`has_queue` is true on every instance as soon as `declare` has returned."""
        system, other = self.start(), self.start()
        assert not other.has_queue(self.queue())
        system.declare(Subscription(self.queue(), (self.topic('thing'),), Inbox()))
        assert other.has_queue(self.queue())
        assert not other.has_queue(self.queue('other'))

    @pytest.mark.parametrize('options', [{'broadcast': True}, {'once': True}, {'durable': False}])
    def test_a_queue_that_would_end_with_its_instance_cannot_be_declared(
        self, options: dict[str, Any]
    ) -> None:
        """`declare` raises SubscriptionError for subscriptions without a durable queue."""
        system = self.start()
        with pytest.raises(SubscriptionError, match='durable'):
            system.declare(Subscription(self.queue(), (self.topic('thing'),), Inbox(), **options))

    def test_a_declaration_leaves_a_queue_and_its_consumer_alone(self) -> None:
        """Declaring a queue that is consumed loses no events and does not end its consumer."""
        system, inbox = self.start(), Inbox()
        subscription = self.subscribe(system, inbox)
        self.emit(system, 1)
        system.declare(subscription)
        self.emit(system, 2)
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2])

    def test_a_durable_queue_outlives_its_instance(self) -> None:
        """A durable queue collects events after its only instance has stopped."""
        consumer, emitter, inbox = self.start(), self.start(), Inbox()
        self.subscribe(consumer, Inbox())
        self.stop(consumer)
        self.emit(emitter, 1)
        self.subscribe(self.start(), inbox)
        self.eventually(lambda: inbox.numbers == [1])

    def test_events_outlive_all_instances(self) -> None:
        """Waiting and delayed events are delivered to an instance that starts later."""
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, Inbox()))
        self.emit(system, 1)
        self.emit(system, 2, delay=0.5)
        self.stop(system)
        self.subscribe(self.start(), inbox)
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2])

    @pytest.mark.parametrize('options', [{'broadcast': True}, {'once': True}, {}])
    def test_a_temporary_queue_ends_with_its_subscription(self, options: dict[str, Any]) -> None:
        """A queue that is not durable loses its events when its subscription ends."""
        system, inbox = self.start(), Inbox()
        system.unsubscribe(self.subscribe(system, Inbox(), durable=False, **options))
        self.emit(system, 1)
        self.subscribe(system, inbox, durable=False, **options)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [2]

    def test_a_paused_instance_fetches_no_more_and_settles_what_runs(self) -> None:
        """After `pause`, running handlers end normally, and other instances get later events."""
        paused, other, emitter = self.start(pool_size=1), self.start(), self.start()
        gate, inbox = Gate(), Inbox()
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
        """The event that a stopped instance was handling is delivered to another, as attempt 2."""
        stopped, other, gate, inbox = self.start(), self.start(), Gate(), Inbox()
        self.subscribe(stopped, gate)
        self.emit(other, 1)
        self.eventually(lambda: gate.inside)
        self.subscribe(other, inbox)
        self.stop(stopped)
        self.eventually(lambda: inbox.numbers == [1])
        assert inbox.events[0].attempt == 2

    def test_a_stopped_instance_emits_nothing(self) -> None:
        """`emit` raises EmitFailure after the event system has stopped."""
        system = self.start()
        self.stop(system)
        with pytest.raises(EmitFailure):
            self.emit(system, 1)
