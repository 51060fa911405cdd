"""Events are shared among instances or broadcast, and handled so many at a time."""

from __future__ import annotations

from lymph.core.events import Event
from lymph.events.base import BaseEventSystem
from lymph.events.deadletters import DeadLetter
from lymph.exceptions import SubscriptionError
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox

__all__ = ['SharingContract']


class SharingContract(EventSystemHarness):
    """Tests of shared queues, broadcasts, `once` and the limits on handlers."""

    def test_instances_that_consume_one_queue_share_its_events(self) -> None:
        """Each event of a shared queue is handled by one instance, while all have work."""
        first, second, emitter = self.start(2), self.start(2), self.start()
        gates = [Gate(), Gate()]
        for system, gate in zip((first, second), gates, strict=True):
            self.subscribe(system, gate)
        for n in range(4):
            self.emit(emitter, n)
        # An instance whose two places are taken fetches no more, so each has two of the four.
        self.eventually(lambda: [len(gate.inside) for gate in gates] == [2, 2])
        for gate in gates:
            gate.open()
        self.eventually(lambda: sum(len(gate.done) for gate in gates) == 4)
        self.settle()
        handled = [event.body['n'] for gate in gates for event in gate.done]
        assert sorted(handled) == [0, 1, 2, 3]

    def test_a_broadcast_reaches_every_instance(self) -> None:
        """A broadcast is handled once by each instance."""
        emitter, inboxes = self.start(), [Inbox(), Inbox(), Inbox()]
        for inbox in inboxes:
            self.subscribe(self.start(), inbox, broadcast=True, durable=False)
        self.emit(emitter, 1)
        self.eventually(lambda: all(inbox.events for inbox in inboxes))
        self.settle()
        assert [inbox.numbers for inbox in inboxes] == [[1], [1], [1]]

    def test_once_gets_one_event_in_total(self) -> None:
        """A `once` subscription handles the first event only."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox, once=True, durable=False)
        for n in range(3):
            self.emit(system, n)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [0]

    def test_once_begins_one_event_also_while_that_waits_for_another_attempt(self) -> None:
        """A `once` subscription retries its event and begins no other meanwhile."""
        system, inbox, other = self.start(pool_size=1), Inbox(_fail_twice), Inbox()
        self.subscribe(system, inbox, once=True, durable=False, retry=2)
        self.subscribe(system, other, queue='other')  # whose events go on meanwhile
        for n in range(3):
            self.emit(system, n)
        self.eventually(lambda: len(inbox.events) == 3)
        self.settle()
        assert inbox.numbers == [0, 0, 0]
        assert [event.attempt for event in inbox.events] == [1, 2, 3]
        assert sorted(other.numbers) == [0, 1, 2]
        assert self.read_dead_letters(system, self.queue()) == []

    def test_once_ends_when_its_event_is_given_up(self) -> None:
        """A `once` subscription ends when its event becomes a dead letter."""
        system, inbox = self.start(), Inbox(_fail_twice)
        self.subscribe(system, inbox, once=True, durable=False, retry=1)
        for n in range(3):
            self.emit(system, n)
        (letter,) = self.eventually(lambda: self._dead_ones(system))
        self.settle()
        assert inbox.numbers == [0, 0]
        assert letter.attempts == 2
        assert len(self._dead_ones(system)) == 1

    def test_once_can_be_ended_while_its_event_waits_for_another_attempt(self) -> None:
        """After `unsubscribe`, the event of a `once` subscription is not retried."""
        system, inbox = self.start(), Inbox(_fail_twice)
        subscription = self.subscribe(system, inbox, once=True, durable=False, retry=2)
        self.emit(system, 0)
        self.eventually(lambda: inbox.events)
        system.unsubscribe(subscription)
        self.subscribe(system, inbox, sequential=True)
        self.emit(system, 1)
        self.eventually(lambda: 1 in inbox.numbers)
        self.settle()
        assert inbox.numbers == [0, 1]

    def _dead_ones(self, system: BaseEventSystem) -> list[DeadLetter]:
        """Return the dead letters of a queue whose name ends with the name of its instance."""
        assert system.dead_letters is not None
        return [
            letter for letter in system.dead_letters.scan() if letter.queue.startswith(self.queue())
        ]

    def test_once_can_be_subscribed_again_when_it_is_over(self) -> None:
        """A `once` subscription that has ended frees its queue."""
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
        """With `sequential`, an instance runs one handler at a time."""
        system, gate = self.start(), Gate()
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
        """By default, the handlers of one subscription run concurrently."""
        system, gate = self.start(), Gate()
        self.subscribe(system, gate)
        for n in range(5):
            self.emit(system, n)
        self.eventually(lambda: len(gate.inside) == 5)
        gate.open()
        self.eventually(lambda: len(gate.done) == 5)

    def test_no_more_handlers_run_than_there_are_workers(self) -> None:
        """An instance runs at most `pool_size` handlers at the same time."""
        system, gate = self.start(pool_size=3), Gate()
        self.subscribe(system, gate)
        for n in range(10):
            self.emit(system, n)
        self.eventually(lambda: len(gate.inside) == 3)
        self.settle()
        assert len(gate.inside) == 3
        gate.open()
        self.eventually(lambda: len(gate.done) == 10)
        assert gate.most == 3

    def test_events_beyond_the_room_of_one_instance_go_to_another(self) -> None:
        """An instance without free workers does not hold events back from others."""
        full, idle, emitter = self.start(pool_size=1), self.start(), self.start()
        gate, inbox = Gate(), Inbox()
        self.subscribe(full, gate)
        self.emit(emitter, 0)
        self.eventually(lambda: gate.inside)
        self.subscribe(idle, inbox)
        for n in range(1, 6):
            self.emit(emitter, n)
        self.eventually(lambda: sorted(inbox.numbers) == [1, 2, 3, 4, 5])
        gate.open()


def _fail_twice(event: Event) -> None:
    if event.attempt < 3 and event.body['n'] == 0:
        raise RuntimeError('not yet')
