from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lymph.events.kombu._rabbitmq.flow import Flow

# what happens, one after the other, and the width after each; the limit is 10
TABLE: list[list[tuple[str, tuple[Any, ...], int]]] = [
    [('opened', ((),), 1), ('arrived', (False,), 10), ('arrived', (False,), 10)],
    # a suspect
    [('opened', ((),), 1), ('arrived', (True,), 1), ('arrived', (False,), 10)],
    [('opened', ((),), 1), ('arrived', (False,), 10), ('arrived', (True,), 1)],
    # handlers run on while the channel is replaced
    [
        ('opened', ((),), 1),
        ('arrived', (False,), 10),
        ('opened', (('a', 'b'),), 1),
        ('arrived', (False,), 8),
        ('ended', ('a',), 8),
        ('ended', ('c',), 8),
        ('ended', ('b',), 10),
    ],
    [('opened', (tuple(range(10)),), 1), ('arrived', (False,), 1), ('ended', (0,), 1)],
    # while workers are scarce
    [
        ('opened', ((),), 1),
        ('arrived', (False,), 10),
        ('park', (), 0),
        ('arrived', (False,), 0),
        ('opened', ((),), 0),
        ('resume', (('a',),), 1),
        ('arrived', (False,), 9),
    ],
    # the end
    [('opened', ((),), 1), ('pause', (), 0), ('resume', ((),), 0), ('opened', ((),), 0)],
    [('park', (), 0), ('pause', (), 0), ('arrived', (False,), 0)],
]

# the same for a consumer of one event at a time
ALONE: list[list[tuple[str, tuple[Any, ...], int]]] = [
    [('opened', ((),), 1), ('arrived', (False,), 1), ('arrived', (True,), 1)],
    [('opened', (('a',),), 0), ('arrived', (False,), 0), ('ended', ('a',), 1)],
    [('park', (), 0), ('resume', (('a',),), 0), ('ended', ('a',), 1)],
    [('opened', (('a',),), 0), ('park', (), 0), ('ended', ('a',), 0), ('resume', ((),), 1)],
]


@pytest.mark.parametrize(
    ('limit', 'steps'),
    [*((10, steps) for steps in TABLE), *((1, steps) for steps in ALONE)],
)
def test_width_changes_as_in_the_table(limit: int, steps: list[Any]) -> None:
    flow = Flow(limit)
    for verb, arguments, width in steps:
        getattr(flow, verb)(*arguments)
        assert flow.width == width, (verb, arguments)


@given(st.integers(1, 100))
def test_new_consumer_starts_with_a_width_of_one(limit: int) -> None:
    assert Flow(limit).width == 1


class AnyOrder(RuleBasedStateMachine):
    """A broker that sends as much as it may, over channels that open and close."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = 4
        self.flow = Flow(self.limit)
        self.counted: set[int] = set()  # running handlers whose events count against the width
        self.running: set[int] = set()
        self.numbers = iter(range(1_000_000))
        self.flow.opened(())

    @precondition(lambda self: self.flow.width > len(self.counted))
    @rule(suspect=st.booleans())
    def the_broker_sends_an_event(self, suspect: bool) -> None:
        if len(self.running) < self.limit:  # else it waits until a handler has ended
            number = next(self.numbers)
            self.counted.add(number)
            self.running.add(number)
            self.flow.arrived(suspect)

    @precondition(lambda self: self.flow.parked and len(self.running) < self.limit)
    @rule()
    def an_event_is_fetched(self) -> None:
        self.running.add(next(self.numbers))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_handler_ends(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(number)
        self.counted.discard(number)
        self.flow.ended(number)

    @rule()
    def the_channel_is_replaced(self) -> None:
        self.counted.clear()
        self.flow.opened(self.running)

    @rule()
    def workers_are_scarce(self) -> None:
        self.counted.clear()
        self.flow.park()

    @precondition(lambda self: self.flow.parked)
    @rule()
    def workers_are_free_again(self) -> None:
        self.flow.resume(self.running)

    @rule()
    def the_event_system_stops(self) -> None:
        self.flow.pause()

    @invariant()
    def no_more_is_sent_than_may_run(self) -> None:
        old = self.running - self.counted
        assert self.flow.width <= max(self.limit - len(self.flow.old), 1)
        assert self.flow.old >= old or self.flow.width == 0

    @invariant()
    def nothing_is_sent_to_a_parked_or_paused_consumer(self) -> None:
        if self.flow.parked or self.flow.paused:
            assert self.flow.width == 0

    @invariant()
    def a_consumer_that_goes_on_is_sent_something(self) -> None:
        if not (self.flow.parked or self.flow.paused):
            assert self.flow.width >= 1


TestAnyOrder = AnyOrder.TestCase
