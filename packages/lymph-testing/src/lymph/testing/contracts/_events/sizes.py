"""Events up to the limit are delivered and kept as dead letters; larger ones are rejected."""

from __future__ import annotations

import pytest

from lymph.core.events import Event
from lymph.core.limits import EVENT
from lymph.exceptions import EventTooLarge, LymphError
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['SizesContract']

_ROOM = 64  # bytes of a body besides its text, in any serializer
_LARGEST = 'x' * (EVENT - _ROOM)


class SizesContract(EventSystemHarness):
    """Tests of the limit on the size of events, `lymph.core.limits.EVENT`."""

    def test_the_largest_event_arrives_whole(self) -> None:
        """A body of the largest size arrives, and headers do not count."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        headers = {'trace_id': 'abc', 'x': 'y' * 16_000}  # they come on top
        system.emit(Event(self.topic('thing'), {'n': 1, 'text': _LARGEST}, headers=headers))
        self.eventually(lambda: inbox.events)
        (event,) = inbox.events
        assert event.body == {'n': 1, 'text': _LARGEST}
        assert event.headers == headers

    def test_a_larger_event_is_refused_before_anything_is_sent(self) -> None:
        """`emit` raises EventTooLarge, which names limit and type, with and without a delay."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        event = Event(self.topic('thing'), {'n': 1, 'text': 'x' * EVENT})
        for options in ({}, {'delay': 0.1}):
            with pytest.raises(EventTooLarge, match=rf'at most {EVENT} bytes.*thing') as caught:
                system.emit(event, **options)
            assert isinstance(caught.value, ValueError)
            assert isinstance(caught.value, LymphError)
            assert len(str(caught.value)) < 300
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [2]

    def test_dead_letters_of_the_largest_size_are_listed_replayed_and_dropped(self) -> None:
        """Dead letters support events of the largest size."""
        system, inbox, queue = self.start(), Inbox(_broken), self.queue()
        subscription = self.subscribe(system, inbox, sequential=True)
        for n in range(2):
            system.emit(Event(self.topic('thing'), {'n': n, 'text': _LARGEST}))
        kept = system.dead_letters
        assert kept is not None
        self.eventually(lambda: inbox.numbers == [0, 1] and kept.oldest(queue)[1] == 2)
        system.unsubscribe(subscription)
        letters, count = kept.oldest(queue)
        assert count == 2
        assert [letter.event and letter.event.body['text'] == _LARGEST for letter in letters] == [
            True,
            True,
        ]
        first, second = (letter.id for letter in letters)
        assert kept.replay(first) == 1
        inbox.fail = None
        self.subscribe(system, inbox)
        self.eventually(lambda: inbox.numbers == [0, 1, 0])
        assert kept.drop(first, second) == 1
        assert kept.oldest(queue) == ([], 0)


def _broken(event: Event) -> None:
    raise RuntimeError('broken')
