from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lymph.events.backoff import Backoff

CHANCE = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 100), CHANCE, CHANCE)
def test_delays_grow_regardless_of_jitter(attempt, chance, next_chance):
    backoff = Backoff()
    delay, following = backoff.delay(attempt, chance), backoff.delay(attempt + 1, next_chance)
    assert 0 < delay < following or following > backoff.longest * (1 - backoff.jitter)


@given(st.integers(1, 10**6), CHANCE, st.floats(1.1, 10), st.floats(0, 1))
def test_no_delay_exceeds_the_maximum(attempt, chance, factor, jitter):
    backoff = Backoff(factor=factor, jitter=jitter)
    assert 0 <= backoff.delay(attempt, chance) <= backoff.longest


def test_jitter_spreads_the_delays():
    backoff = Backoff(first=1, jitter=0.25)
    assert [backoff.delay(1, chance) for chance in (0, 0.5, 1)] == [0.75, 1, 1.25]
