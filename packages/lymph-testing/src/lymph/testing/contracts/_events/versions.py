"""Versions of a handler that share a queue, but handle different types of events."""

from __future__ import annotations

from lymph.events.base import BaseEventSystem
from lymph.testing.contracts._events.harness import EventSystemHarness, Gate, Inbox

__all__ = ['ExclusiveVersionsContract', 'UnbindingContract', 'VersionsContract']


class VersionsContract(EventSystemHarness):
    """Tests that a handler gets only events of its types, and that no others are lost."""

    def test_an_upgraded_handler_is_not_given_events_of_types_it_no_longer_handles(self) -> None:
        """Events that no instance handles any more become dead letters."""
        emitter, old = self.start(), self.start()
        self.subscribe(old, Inbox(), 'old', 'kept.*')
        self.stop(old)
        self.emit(emitter, 1, 'old')  # waits for whoever comes
        upgraded, inbox = self.start(), Inbox()
        self.subscribe(upgraded, inbox, 'kept.*', 'new')
        for n, topic in enumerate(('kept.a', 'old', 'new'), 2):
            self.emit(emitter, n, topic)
        self.eventually(lambda: sorted(inbox.numbers) == [2, 4])
        letters = self.eventually(lambda: self.read_dead_letters(emitter, self.queue()))
        assert 'expected an event type of' in letters[0].error
        assert letters[0].event is not None
        assert letters[0].event.type == self.topic('old')
        assert sorted(inbox.numbers) == [2, 4]

    def test_an_event_of_another_version_goes_to_an_instance_of_that_version(self) -> None:
        """An event that one consumer does not handle waits for a consumer that does."""
        emitter, upgraded, gate, inbox = self.start(), self.start(pool_size=1), Gate(), Inbox()
        self.subscribe(emitter, Inbox(), 'old')  # the queue, with the binding of the old version
        self.subscribe(upgraded, gate, 'new')
        emitter.pause()
        self.emit(emitter, 1, 'old')
        self.emit(emitter, 2, 'new')
        self.eventually(lambda: gate.inside)  # so the first one was put aside
        self.subscribe(self.start(), inbox, 'old')
        self.eventually(lambda: inbox.numbers == [1])
        gate.open()
        assert self.read_dead_letters(emitter, self.queue()) == []


class UnbindingContract(EventSystemHarness):
    """Tests that a queue collects only what its consumers handle; for systems that know them."""

    def test_a_queue_collects_no_longer_what_only_an_instance_that_has_left_handles(self) -> None:
        """Types that only an instance that has left handles are no longer collected."""
        emitter, old, upgraded, another = (self.start() for _ in range(4))
        handled, inbox = Inbox(), Inbox()
        self.subscribe(old, handled, 'old', 'kept')
        for system in (upgraded, another):
            self.subscribe(system, inbox, 'kept', 'new')
        self.stop(old)
        assert self._collected(emitter, 'old', 'kept', 'new') == {'kept', 'new'}

    def test_a_queue_collects_what_its_last_consumer_handled_until_another_comes(self) -> None:
        """A queue without consumers collects the types of the last one."""
        emitter, old, upgraded = self.start(), self.start(), self.start()
        self.subscribe(old, Inbox(), 'old', 'kept')
        self.stop(old)
        assert self._collected(emitter, 'old', 'kept', 'new') == {'old', 'kept'}
        self.subscribe(upgraded, Inbox(), 'kept', 'new')
        self.stop(upgraded)
        assert self._collected(emitter, 'old', 'kept', 'new') == {'kept', 'new'}

    def _collected(self, emitter: BaseEventSystem, *topics: str) -> set[str]:
        """Return those of the topics that the queue of this test collects."""
        return {topic for topic in topics if self._collects(emitter, topic)}

    def _collects(self, emitter: BaseEventSystem, topic: str) -> bool:
        def events() -> int:
            assert emitter.queues is not None
            state = emitter.queues.find(self.queue())
            assert state is not None
            assert state.events is not None
            return state.events

        before = events()
        self.emit(emitter, 0, topic, delay=1000)
        return events() > before


class ExclusiveVersionsContract(EventSystemHarness):
    """The same tests for exclusive queues."""

    def test_an_event_of_another_version_holds_up_no_exclusive_queue(self) -> None:
        """An event that its consumer does not handle is a dead letter after one attempt."""
        emitter, old = self.start(), self.start()
        self.subscribe(old, Inbox(), 'old', 'kept', exclusive=True)
        self.stop(old)
        upgraded, inbox = self.start(), Inbox()
        for n, topic in enumerate(('old', 'kept')):
            self.emit(emitter, n, topic)
        self.subscribe(upgraded, inbox, 'kept', exclusive=True, retry=3)
        self.eventually(lambda: inbox.numbers == [1])
        (letter,) = self.eventually(lambda: self.read_dead_letters(emitter, self.queue()))
        assert letter.attempts == 1
