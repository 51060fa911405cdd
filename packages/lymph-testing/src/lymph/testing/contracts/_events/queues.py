"""What operators see of the queues is right."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from lymph.core.events import Event
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.queues import QueueInUse, Queues, QueueState
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox

__all__ = ['QueuesContract']


class QueuesContract(EventSystemHarness):
    """Tests that the states of queues are right, or None where the backend does not know them."""

    #: fields of QueueState that this backend does not know
    unknown: ClassVar[frozenset[str]] = frozenset()

    def test_a_queue_that_nobody_consumes_is_listed_with_what_waits_in_it(self) -> None:
        """A declared queue is listed once, with number, size and age of its waiting events."""
        system, other = self.start(), self.start()
        system.declare(Subscription(self.queue(), (self.topic('thing'),), Inbox()))
        self.expect(other, waiting=0, delayed=0, bytes=0, oldest=None, running=0, consumers=0)
        for n in range(3):
            self.emit(system, n)
        state = self.expect(other, waiting=3, running=0, consumers=0, dead=0)
        assert state.temporary in (False, None)
        if 'bytes' not in self.unknown:
            assert (state.bytes or 0) > 3 * len('thing')
        if 'oldest' not in self.unknown:
            assert state.oldest is not None
            assert 0 <= state.oldest < 600
        assert [each.queue for each in self.queues(other).read()].count(self.queue()) == 1

    def test_consumers_and_what_runs_are_counted(self) -> None:
        """`consumers` and `running` follow instances that stop and handlers that end."""
        first, second, gate = self.start(), self.start(), Gate()
        for system in (first, second):
            self.subscribe(system, gate, sequential=True)
        self.emit(first, 1)
        self.eventually(lambda: gate.inside)
        self.expect(second, waiting=0, running=1, consumers=2)
        gate.open()
        self.expect(second, waiting=0, running=0, consumers=2)
        self.stop(first)
        self.expect(second, consumers=1)

    def test_delayed_events_are_counted_apart_from_waiting_ones(self) -> None:
        """`waiting` does not include delayed events."""
        system = self.start()
        system.declare(Subscription(self.queue(), (self.topic('thing'),), Inbox()))
        self.emit(system, 1, delay=3600)
        self.emit(system, 2)
        self.expect(system, waiting=1, delayed=1)

    def test_dead_letters_are_counted_for_their_queue(self) -> None:
        """`dead` counts the dead letters of one queue only."""
        system = self.start()
        self.subscribe(system, _broken)
        self.subscribe(system, Inbox(), queue='other')
        for n in range(2):
            self.emit(system, n)
        self.expect(system, waiting=0, running=0, dead=2)
        self.expect(system, 'other', dead=0)

    def test_a_temporary_queue_is_listed_until_its_instance_ends(self) -> None:
        """A queue that is not durable is listed as temporary, and disappears with its instance."""
        system, other = self.start(), self.start()
        self.subscribe(system, Inbox(), durable=False)

        def listed() -> list[QueueState]:
            found = self.queues(other).read()
            return [each for each in found if each.queue.startswith(f'{self.queue()}.')]

        (state,) = self.eventually(listed)
        assert state.temporary in (True, None)
        self.stop(system)
        self.eventually(lambda: not listed())

    def test_glance_agrees_with_read(self) -> None:
        """`glance` returns the same facts as `read`, or None, and leaves out missing queues."""
        system = self.start()
        system.declare(Subscription(self.queue(), (self.topic('thing'),), Inbox()))
        for n in range(3):
            self.emit(system, n)
        read = self.expect(system, waiting=3)
        (seen,) = self.queues(system).glance([self.queue(), self.queue('none')])
        assert (seen.queue, seen.waiting, seen.consumers) == (read.queue, 3, 0)
        for name in ('delayed', 'bytes', 'running', 'dead'):
            assert getattr(seen, name) in (getattr(read, name), None)

    def test_queues_are_read_by_name(self) -> None:
        """`read` returns the named queues sorted by name; `find` returns one or None."""
        system = self.start()
        for name in ('b', 'a', 'c'):
            system.declare(Subscription(self.queue(name), (self.topic('thing'),), Inbox()))
        queues = self.queues(system)
        wanted = [self.queue('b'), self.queue('none'), self.queue('a')]
        self.eventually(lambda: queues.find(self.queue('c')))
        assert [each.queue for each in queues.read(wanted)] == [self.queue('a'), self.queue('b')]
        assert queues.read([]) == []
        assert queues.find(self.queue('none')) is None
        assert queues.find('q' * 300) is None  # longer than a name can be in AMQP
        assert list(queues.glance(['q' * 300])) == []

    def test_a_dropped_queue_is_gone_with_its_events_and_its_dead_letters_stay(self) -> None:
        """`drop` removes a queue and its events, but keeps dead letters; it can be made again."""
        system, other, inbox = self.start(), self.start(), Inbox(_broken)
        subscription = self.subscribe(system, inbox)
        self.emit(system, 1)
        self.expect(system, dead=1)
        system.unsubscribe(subscription)
        self.expect(system, consumers=0)
        self.emit(system, 2)
        assert self.queues(other).drop(self.queue())
        assert not system.has_queue(self.queue())
        assert self.queues(system).find(self.queue()) is None
        assert len(self.read_dead_letters(system, self.queue())) == 1
        self.subscribe(system, inbox)
        self.emit(system, 3)
        self.eventually(lambda: inbox.numbers == [1, 3])

    def test_a_queue_with_consumers_is_only_dropped_by_force(self) -> None:
        """`drop` raises QueueInUse if there are consumers, unless it is `forced`."""
        system, other, gate = self.start(), self.start(), Gate()
        self.subscribe(system, gate, sequential=True)
        for n in range(3):
            self.emit(system, n)
        self.eventually(lambda: gate.inside)
        self.expect(other, consumers=1)
        with pytest.raises(QueueInUse, match='1 consumer'):
            self.queues(other).drop(self.queue())
        self.expect(other, consumers=1)
        assert self.queues(other).drop(self.queue(), forced=True)
        gate.open()
        self.settle()
        assert [event.body['n'] for event in gate.done] == [0]

    def test_missing_queue_cannot_be_dropped(self) -> None:
        """`drop` returns False for a queue that does not exist."""
        assert not self.queues(self.start()).drop(self.queue('none'))

    def expect(self, system: BaseEventSystem, queue: str = 'queue', **facts: Any) -> QueueState:
        """Wait until a queue is in a state, as far as the backend knows; return that."""
        known = {name: value for name, value in facts.items() if name not in self.unknown}

        def state() -> QueueState | None:
            found = self.queues(system).find(self.queue(queue))
            return found if found and _facts(found, known) == known else None

        found: QueueState = self.eventually(state)
        assert all(getattr(found, name) is None for name in self.unknown)
        return found

    def queues(self, system: BaseEventSystem) -> Queues:
        """Return the queues of a system, which must support them."""
        assert system.queues is not None
        return system.queues


def _facts(state: QueueState, names: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(state, name) for name in names}


def _broken(event: Event) -> None:
    raise RuntimeError('broken')
