"""Failed events are tried again, and end as dead letters."""

from __future__ import annotations

import gevent
import pytest

from lymph.core.events import Event
from lymph.core.failures import Killed
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['FailuresContract']


class FailuresContract(EventSystemHarness):
    """Tests that failed events are neither lost nor delay others."""

    def test_a_failed_event_is_handled_in_a_later_attempt(self) -> None:
        """If a handler raises, the same event is retried, and no dead letter remains on success."""

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
        """If a handler raises, a sequential subscription goes on with the next event."""

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
        """After `1 + retry` attempts, the dead letter has the event, its error and its trace id."""
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
        """A handler that raises `gevent.Timeout` has failed, although that is no Exception."""

        def late(event: Event) -> None:
            raise gevent.Timeout(1)

        system = self.start()
        self.subscribe(system, late)
        self.emit(system, 1)
        self.eventually(lambda: self.read_dead_letters(system, self.queue()))

    def test_a_handler_that_is_cut_short_gives_its_event_to_another(self) -> None:
        """If a handler raises Killed, the event is delivered again, even without retries."""

        def cut(event: Event) -> None:
            if event.attempt == 1:
                raise Killed  # as lymph ends a handler

        system, inbox = self.start(), Inbox(cut)
        self.subscribe(system, inbox)
        self.emit(system, 1)
        self.eventually(lambda: [event.attempt for event in inbox.events] == [1, 2])
        self.settle()
        assert self.read_dead_letters(system, self.queue()) == []


def _broken(event: Event) -> None:
    raise RuntimeError(f'cannot handle {event.body.get("n")}')
