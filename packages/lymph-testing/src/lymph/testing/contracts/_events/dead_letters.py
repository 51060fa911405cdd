"""Dead letters can be read, found, replayed and dropped."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from lymph.core.events import Event
from lymph.events.base import BaseEventSystem
from lymph.events.deadletters import DeadLetter, DeadLetters
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['DeadLettersContract']


class DeadLettersContract(EventSystemHarness):
    """Tests of dead letters, which are kept until somebody replays or drops them."""

    def test_dead_letters_are_read_oldest_first_and_in_pages(self) -> None:
        """`read` returns the oldest first; `limit` and `after` select a page."""
        system = self.start()
        letters = self.kill_events(system, 5)
        queue, kept = self.queue(), self.dead_letters(system)
        assert [letter.event.body['n'] for letter in letters if letter.event] == [0, 1, 2, 3, 4]
        assert _ids(kept.read(queue, limit=2)) == _ids(letters[:2])
        assert _ids(kept.read(queue, limit=2, after=letters[1].id)) == _ids(letters[2:4])
        assert _ids(kept.read(queue, after=letters[4].id)) == []
        assert _ids(kept.read(self.queue('other'))) == []

    def test_the_oldest_dead_letters_come_with_the_number_of_all(self) -> None:
        """`oldest` returns up to `limit` dead letters, and how many there are in total."""
        system = self.start()
        letters = self.kill_events(system, 5)
        queue, kept = self.queue(), self.dead_letters(system)
        oldest, count = kept.oldest(queue, 2)
        assert (_ids(oldest), count) == (_ids(letters[:2]), 5)
        oldest, count = kept.oldest(queue)
        assert (_ids(oldest), count) == (_ids(letters), 5)
        oldest, count = kept.oldest(limit=1)
        assert (len(oldest), count) == (1, len(list(kept.scan())))
        assert kept.oldest(self.queue('other')) == ([], 0)

    def test_a_dead_letter_is_found_by_its_id(self) -> None:
        """`find` returns the dead letter with an id, or None."""
        system = self.start()
        (letter,) = self.kill_events(system, 1)
        found = self.dead_letters(system).find(letter.id)
        assert found is not None
        assert (found.id, found.queue, found.error) == (letter.id, letter.queue, letter.error)
        assert self.dead_letters(system).find('no such id') is None

    def test_find_all_returns_only_existing_dead_letters(self) -> None:
        """`find_all` maps ids to dead letters and leaves out unknown ids."""
        system = self.start()
        first, second, _ = self.kill_events(system, 3)
        found = self.dead_letters(system).find_all([second.id, 'no such id', first.id])
        assert {id: letter.id for id, letter in found.items()} == {
            first.id: first.id,
            second.id: second.id,
        }
        assert self.dead_letters(system).find_all([]) == {}

    def test_scan_yields_every_dead_letter_once(self) -> None:
        """`scan` yields each dead letter of one queue or of all; it may be closed early."""
        system = self.start()
        letters, kept = self.kill_events(system, 3), self.dead_letters(system)
        assert sorted(_ids(kept.scan(self.queue()))) == sorted(_ids(letters))
        assert set(_ids(letters)) <= set(_ids(kept.scan()))
        assert _ids(kept.scan(self.queue('other'))) == []
        with closing(kept.scan()) as left_early:
            next(left_early)
        assert _ids(kept.read(self.queue())) == _ids(letters)

    def test_a_replayed_event_is_handled_as_if_it_was_new(self) -> None:
        """`replay` delivers events with attempt number 1, and returns how many it replayed."""
        system, inbox = self.start(), Inbox()
        letters = self.kill_events(system, 3)
        assert self.dead_letters(system).replay(letters[0].id, letters[2].id, 'no such id') == 2
        self.subscribe(system, inbox)
        self.eventually(lambda: sorted(inbox.numbers) == [0, 2])
        assert [event.attempt for event in inbox.events] == [1, 1]
        assert _ids(self.read_dead_letters(system, self.queue())) == [letters[1].id]

    def test_a_replayed_event_keeps_its_id_and_its_headers_and_has_all_retries_again(self) -> None:
        """A replayed event that keeps failing is retried as often as before, then is dead again."""
        system, inbox = self.start(), Inbox(_broken)
        subscription = self.subscribe(system, inbox, retry=1)
        sent = Event(self.topic('thing'), {'n': 1}, 'shop', {'trace_id': 'abc', 'x': 1})
        system.emit(sent)
        (letter,) = self.eventually(lambda: self.read_dead_letters(system, self.queue()))
        assert self.dead_letters(system).replay(letter.id) == 1
        (again,) = self.eventually(lambda: self._others_than(letter, system))
        assert [event.attempt for event in inbox.events] == [1, 2, 1, 2]
        assert {event.id for event in inbox.events} == {sent.id}
        assert all(event.headers == sent.headers for event in inbox.events)
        assert (again.attempts, again.trace_id, again.event.source) == (2, 'abc', 'shop')
        system.unsubscribe(subscription)

    def test_settled_dead_letters_are_reported_one_by_one(self) -> None:
        """`replay` and `drop` call `settled` with the id of each dead letter they removed."""
        system = self.start()
        told: list[str] = []
        ids, kept = _ids(self.kill_events(system, 5)), self.dead_letters(system)
        kept.replay(*ids[:3], 'no such id', settled=told.append)
        assert sorted(told) == sorted(ids[:3])
        kept.drop(*ids[3:], 'no such id', settled=told.append)
        assert sorted(told) == sorted(ids)

    def test_a_dead_letter_whose_queue_is_gone_stays_where_it_is(self) -> None:
        """`replay` leaves a dead letter in place if its queue no longer exists."""
        system = self.start()
        stays = self.subscribe(system, _broken, queue='stays')
        gone = self.subscribe(system, _broken, queue='gone', durable=False)
        event = self.emit(system, 1)
        letters = self.eventually(lambda: self._of_event(event, system, 2))
        for subscription in (stays, gone):
            system.unsubscribe(subscription)
        assert self.dead_letters(system).replay(*_ids(letters)) == 1
        (left,) = self._of_event(event, system, 1)
        assert left.queue.startswith(gone.queue_name)

    def test_a_dropped_dead_letter_is_gone(self) -> None:
        """`drop` removes dead letters, ignores unknown ids, and returns how many it removed."""
        system = self.start()
        letters = self.kill_events(system, 3)
        assert self.dead_letters(system).drop(letters[0].id, letters[1].id, 'no such id') == 2
        assert _ids(self.read_dead_letters(system, self.queue())) == [letters[2].id]

    def test_dead_letters_outlive_their_instance(self) -> None:
        """Dead letters can be read by a later instance."""
        system = self.start()
        letters = self.kill_events(system, 1)
        self.stop(system)
        assert _ids(self.read_dead_letters(self.start(), self.queue())) == _ids(letters)

    def _others_than(self, letter: DeadLetter, system: BaseEventSystem) -> list[DeadLetter]:
        letters = self.read_dead_letters(system, self.queue())
        return [each for each in letters if each.id != letter.id]

    def _of_event(self, event: Event, system: BaseEventSystem, count: int) -> list[DeadLetter]:
        letters = self.dead_letters(system).scan()
        found = [each for each in letters if each.event and each.event.id == event.id]
        return found if len(found) == count else []

    def kill_events(self, system: BaseEventSystem, count: int) -> list[DeadLetter]:
        """Make dead letters of events with the numbers 0, 1, ...; return them."""
        subscription = self.subscribe(system, _broken, sequential=True)
        for n in range(count):
            self.emit(system, n)
        self.eventually(lambda: len(self.read_dead_letters(system, self.queue())) == count)
        system.unsubscribe(subscription)
        return self.read_dead_letters(system, self.queue())

    def dead_letters(self, system: BaseEventSystem) -> DeadLetters:
        """Return the dead letters of a system, which must have some."""
        assert system.dead_letters is not None
        return system.dead_letters


def _broken(event: Event) -> None:
    raise RuntimeError('broken')


def _ids(letters: Iterable[DeadLetter]) -> list[str]:
    return [letter.id for letter in letters]
