"""Events that wait until their time has come."""

from __future__ import annotations

import pytest

from lymph.testing.contracts.events.harness import EventSystemHarness, Inbox

__all__ = ['DelaysContract']


class DelaysContract(EventSystemHarness):
    """Delays."""

    def test_a_delayed_event_arrives_after_those_emitted_later(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 1, delay=1.0)
        self.emit(system, 2)
        self.eventually(lambda: inbox.events)
        assert inbox.numbers == [2]
        self.eventually(lambda: inbox.numbers == [2, 1])

    def test_delays_of_different_length_do_not_wait_for_each_other(self) -> None:
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox)
        self.emit(system, 'later', delay=60)
        self.emit(system, 'soon', delay=0.3)
        self.eventually(lambda: inbox.numbers == ['soon'])

    @pytest.mark.parametrize('delay', [-1, float('nan'), float('inf')])
    def test_a_delay_that_is_no_time_to_wait_is_refused(self, delay: float) -> None:
        system = self.start()
        with pytest.raises(ValueError, match='delay'):
            self.emit(system, 1, delay=delay)
