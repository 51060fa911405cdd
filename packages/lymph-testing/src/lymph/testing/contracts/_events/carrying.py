"""Events arrive at the handlers that subscribe to them."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import gevent
import pytest

from lymph.core.events import Event
from lymph.exceptions import SerializationError
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['CarryingContract']


class _Dumped:
    def _lymph_dump_(self) -> dict[str, Any]:
        return {'article': 'sock', 'price': Decimal('2.50')}


_EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
_DAY = datetime.datetime(2016, 2, 19, 12, 30, 0, 1)

#: Values to emit, and what has to arrive of them.
_VALUES: list[tuple[Any, Any]] = [
    *(
        (value, value)
        for value in (
            None,
            True,
            0,
            -(2**63),
            2**64 - 1,
            1e-300,
            '',
            'gr\xfc\xdfe \U0001f9e6 \0',
            b'',
            bytes(range(256)),
            [],
            [[1, [2]], {}],
            {},
            {'$set': [1], 'a': {'b': None}},
            set(),
            {1, 'a', None},
            _DAY,
            _DAY.replace(tzinfo=datetime.timezone.utc),
            _DAY.replace(tzinfo=_EAST),
            _DAY.date(),
            _DAY.time(),
            _DAY.time().replace(tzinfo=_EAST),
            UUID(int=2**127),
            Decimal('-12.50'),
            Decimal('Infinity'),
        )
    ),
    (frozenset({1, 2}), {1, 2}),
    ((1, (2, 3)), [1, [2, 3]]),
    ({(1, 2)}, {(1, 2)}),
    (_Dumped(), {'article': 'sock', 'price': Decimal('2.50')}),
]


class CarryingContract(EventSystemHarness):
    """Tests of what arrives, and where."""

    def test_an_event_arrives_as_it_was_emitted(self) -> None:
        """Body, type, source, id and headers arrive unchanged, with attempt number 1."""
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

    def test_every_type_that_can_travel_arrives_as_documented(self) -> None:
        """Each serializable value arrives with its documented type, also inside containers."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        for n, (value, _) in enumerate(_VALUES):
            body = {'n': n, 'value': value, 'within': [{'a': value}]}
            system.emit(Event(self.topic('thing'), body))
        self.eventually(lambda: len(inbox.events) == len(_VALUES))
        for event in inbox.events:
            arrives, found = _VALUES[event.body['n']][1], event.body['value']
            assert (found, event.body['within']) == (arrives, [{'a': arrives}])
            assert type(found) is type(arrives)
            if isinstance(arrives, (datetime.datetime, datetime.time)):
                assert found.utcoffset() == arrives.utcoffset()

    def test_an_event_reaches_the_handlers_of_another_instance(self) -> None:
        """An event is delivered to an instance other than the one that emitted it."""
        emitter, consumer, inbox = self.start(), self.start(), Inbox()
        self.subscribe(consumer, inbox)
        self.emit(emitter, 1)
        self.eventually(lambda: inbox.numbers == [1])

    def test_every_queue_gets_the_event_once(self) -> None:
        """A queue gets one copy of an event, even if several of its patterns match."""
        system, first, second = self.start(), Inbox(), Inbox()
        self.subscribe(system, first, 'thing', '*', '#', queue='first')
        self.subscribe(system, second, '*', queue='second')
        self.emit(system, 1)
        self.eventually(lambda: first.numbers and second.numbers)
        self.settle()
        assert (first.numbers, second.numbers) == ([1], [1])

    def test_each_handler_has_an_event_of_its_own(self) -> None:
        """A handler that changes its event affects neither other handlers nor the emitter."""
        system, first, second = self.start(), Inbox(), Inbox()
        first.fail = second.fail = lambda event: event.body.update(n=event.body['n'] + 1)
        self.subscribe(system, first, queue='first')
        self.subscribe(system, second, queue='second')
        sent = self.emit(system, 1)
        self.eventually(lambda: first.numbers == [2] and second.numbers == [2])
        assert sent.body == {'n': 1}

    def test_events_of_one_emitter_arrive_in_their_order_when_taken_one_by_one(self) -> None:
        """A sequential subscription handles the events of one emitter in the order of emission."""
        system, inbox = self.start(), Inbox(lambda event: gevent.sleep(0))
        self.subscribe(system, inbox, sequential=True)
        for n in range(50):
            self.emit(system, n)
        self.eventually(lambda: len(inbox.events) == 50)
        assert inbox.numbers == list(range(50))

    def test_many_emitters_at_once_lose_nothing(self) -> None:
        """All events of 200 concurrent emitters arrive."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        emitters = [gevent.spawn(self.emit, system, n) for n in range(200)]
        gevent.joinall(emitters, raise_error=True)
        self.eventually(lambda: sorted(inbox.numbers) == list(range(200)))

    def test_event_without_a_queue_is_dropped(self) -> None:
        """A queue gets no events that were emitted before it existed."""
        system, inbox = self.start(), Inbox()
        self.emit(system, 1)
        self.subscribe(system, inbox)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        self.settle()
        assert inbox.numbers == [2]

    def test_payload_that_cannot_be_packed_is_rejected_with_its_path(self) -> None:
        """`emit` raises SerializationError with the path of the value; later events arrive."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        with pytest.raises(SerializationError, match=r'order\.items\[1\]'):
            system.emit(Event(self.topic('thing'), {'order': {'items': [1, object()]}}))
        self.emit(system, 1)
        self.eventually(lambda: inbox.numbers == [1])
