from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.events.deliveries import LOSSES, Backoff, after_failure, after_loss

CHANCE = st.floats(0, 1, exclude_max=True)
STEADY = Backoff(first=1, factor=2, longest=10, jitter=0)

TABLE = [
    # attempt, retry, delay
    (1, 0, None),
    (1, 1, 1),
    (2, 1, None),
    (1, 5, 1),
    (2, 5, 2),
    (3, 5, 4),
    (4, 5, 8),
    (5, 5, 10),
    (6, 5, None),
    (7, 5, None),
]


@pytest.mark.parametrize(('attempt', 'retry', 'delay'), TABLE)
def test_a_failed_event_comes_again_as_often_as_allowed(attempt, retry, delay):
    assert after_failure(attempt, retry, 0.5, STEADY) == delay


@given(st.integers(0, 50), CHANCE)
def test_an_event_is_tried_retry_times_after_the_first(retry, chance):
    attempt = 1
    while after_failure(attempt, retry, chance) is not None:
        attempt += 1
    assert attempt == 1 + retry


@given(st.integers(1, 100), CHANCE, CHANCE)
def test_delays_grow_whatever_chance_does(attempt, chance, next_chance):
    backoff = Backoff()
    delay, following = backoff.delay(attempt, chance), backoff.delay(attempt + 1, next_chance)
    assert 0 < delay < following or following > backoff.longest * (1 - backoff.jitter)


@given(st.integers(1, 10**6), CHANCE, st.floats(1.1, 10), st.floats(0, 1))
def test_no_delay_exceeds_the_longest(attempt, chance, factor, jitter):
    backoff = Backoff(factor=factor, jitter=jitter)
    assert 0 <= backoff.delay(attempt, chance) <= backoff.longest


def test_chance_spreads_the_delays():
    backoff = Backoff(first=1, jitter=0.25)
    assert [backoff.delay(1, chance) for chance in (0, 0.5, 1)] == [0.75, 1, 1.25]


def test_an_event_whose_consumer_died_comes_again_even_without_retries():
    assert after_loss(1, 0)


@given(st.integers(0, 50))
def test_an_event_that_keeps_killing_its_consumers_ends_among_the_dead_letters(retry):
    attempt = 1
    while after_loss(attempt, retry):
        attempt += 1
    assert attempt == 1 + retry + LOSSES
