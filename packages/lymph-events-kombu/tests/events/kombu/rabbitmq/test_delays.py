"""Delay queues: few of them, never too early, and never removed with an event inside."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lymph.events.kombu._rabbitmq.delays import LONGEST, coarse, fine

DELAYS = st.floats(min_value=0.0001, max_value=LONGEST)
TIMES = st.floats(min_value=1e9, max_value=4e9)
LARGEST = 2**32 - 1  # ms; what RabbitMQ takes


@pytest.mark.parametrize(
    ('delay', 'wait', 'ttl'),
    [
        (0.0001, 1, 1),
        (0.0123, 13, 13),
        (0.5, 500, 500),
        (0.123, 123, 130),
        (1, 1000, 1000),
        (61, 61_000, 61_000),
        (123.4, 123_400, 130_000),
        (LONGEST, 2_592_000_000, 2_600_000_000),
    ],
)
def test_emitted_events_wait_in_queues_of_two_digits(delay: float, wait: int, ttl: int) -> None:
    level = fine(delay, 1e9)
    assert (level.wait, level.ttl) == (wait, ttl)


@pytest.mark.parametrize(
    ('delay', 'ttl'),
    [(0.01, 100), (0.1, 100), (0.101, 200), (0.3, 500), (0.6, 1000), (3, 5000), (375, 500_000)],
)
def test_failed_events_wait_in_few_queues(delay: float, ttl: int) -> None:
    assert coarse(delay, 1e9).ttl == ttl


@given(DELAYS, TIMES)
def test_no_event_is_early_or_more_than_a_tenth_late(delay: float, now: float) -> None:
    level = fine(delay, now)
    assert delay * 1000 <= level.wait <= delay * 1000 + 1
    assert level.wait <= level.ttl <= level.wait * 1.1 + 1


@given(DELAYS, TIMES, st.floats(min_value=0, max_value=1), st.floats(min_value=-1, max_value=1))
def test_queue_is_not_removed_before_its_last_event(
    delay: float, made: float, later: float, clock_error: float
) -> None:
    level = fine(delay, made)
    # put there in the same time slot, by a clock that is up to an hour off
    put = made + later * (level.expires - level.ttl) / 1000
    assume(fine(delay, put).suffix == level.suffix)
    leaves = put + clock_error * 3600 + level.ttl / 1000
    assert leaves <= made + level.expires / 1000 + 0.001


@given(DELAYS, TIMES)
def test_broker_accepts_every_level(delay: float, now: float) -> None:
    level = fine(delay, now)
    assert level.ttl < level.expires <= LARGEST


@given(st.floats(min_value=0.0001, max_value=375), TIMES)
def test_broker_accepts_the_levels_of_failed_events(delay: float, now: float) -> None:
    level = coarse(delay, now)
    assert delay * 1000 <= level.wait <= level.ttl < level.expires <= LARGEST


def test_queue_gets_a_new_name_when_its_time_is_over() -> None:
    names = {fine(1, now).suffix for now in range(1_000_000_000, 1_000_036_000, 60)}
    assert 10 <= len(names) <= 11
