"""An event system belongs to the native thread that made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.exceptions import WrongThread
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['ThreadsContract']


class ThreadsContract(EventSystemHarness):
    """Tests that calls from other native threads are rejected before they change anything."""

    def test_another_native_thread_is_refused_and_changes_nothing(self) -> None:
        """The methods of an event system raise WrongThread in any other native thread."""
        system, inbox, other = self.start(), Inbox(), Inbox()
        subscription = self.subscribe(system, inbox)
        more = Subscription(self.queue('more'), (self.topic('thing'),), other)
        for act, argument in (
            (system.emit, Event(self.topic('thing'), {'n': 'elsewhere'})),
            (system.subscribe, more),
            (system.declare, more),
            (system.prepare, [more]),
            (system.unsubscribe, subscription),
            (system.has_queue, self.queue()),
        ):
            assert isinstance(_elsewhere(act, argument), WrongThread)
        self.emit(system, 1)
        self.eventually(lambda: inbox.numbers == [1])
        self.settle()
        assert (inbox.numbers, other.numbers) == ([1], [])
        assert not system.has_queue(self.queue('more'))

    def test_dead_letters_are_read_by_another_native_thread_or_that_is_refused(self) -> None:
        """Reading dead letters in another native thread either works or raises WrongThread."""
        system = self.start()
        self.subscribe(system, _broken)
        self.emit(system, 1)
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        letters = system.dead_letters
        assert letters is not None
        for act in (letters.read, lambda queue: list(letters.scan(queue))):
            found = _elsewhere(act, letter.queue)
            assert isinstance(found, WrongThread) or [each.id for each in found] == [letter.id]
        found = _elsewhere(letters.find, letter.id)
        assert isinstance(found, WrongThread) or found.id == letter.id
        assert [each.id for each in self.read_dead_letters(system, letter.queue)] == [letter.id]


def _elsewhere(act: Callable[[Any], Any], argument: Any) -> Any:
    """Return the result of a call in another native thread, or the error that it raised."""

    def run() -> Any:
        try:
            return act(argument)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            return error

    return gevent.get_hub().threadpool.apply(run)


def _broken(event: Event) -> None:
    raise RuntimeError('broken')
