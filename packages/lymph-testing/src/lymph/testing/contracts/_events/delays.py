"""Delayed events are delivered when their time has come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['NO_DELAYS', 'DelaysContract']

#: Invalid delays, for `emit` and its mocks.
NO_DELAYS: list[object] = [
    -1,
    -0.001,
    float('nan'),
    float('inf'),
    float('-inf'),
    10**400,
    10**5000,
    1e300,
    True,
    False,
    None,
    '5',
    b'5',
    [],
    Decimal(5),
    Fraction(1, 2),
    timedelta(seconds=5),
    1j,
]


class DelaysContract(EventSystemHarness):
    """Tests of delays."""

    def test_a_delayed_event_arrives_after_those_emitted_later(self) -> None:
        """A delayed event does not hold up an event that is emitted later without a delay."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 1, delay=1.0)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        assert inbox.numbers == [2]
        self.eventually(lambda: inbox.numbers == [2, 1])

    def test_delays_of_different_length_do_not_wait_for_each_other(self) -> None:
        """A short delay ends before a longer one that began earlier."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 'later', delay=60)
        self.emit(system, 'soon', delay=0.3)
        self.eventually(lambda: inbox.numbers == ['soon'])

    def test_invalid_delay_is_rejected_and_nothing_is_emitted(self) -> None:
        """`emit` raises ValueError for each of `NO_DELAYS`."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox, sequential=True)
        for delay in NO_DELAYS:
            with pytest.raises(ValueError, match=r'^expected the delay of .*, found [^\n]+$'):
                self.emit(system, 1, delay=delay)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        assert inbox.numbers == [2]
