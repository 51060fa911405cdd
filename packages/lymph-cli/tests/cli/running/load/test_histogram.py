"""A histogram records durations of calls without keeping each of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.cli._running.load.histogram import GROWTH, LEAST, MOST, Durations

DURATIONS = st.lists(st.floats(LEAST, MOST), min_size=1, max_size=200)
ANYTHING = st.lists(st.floats(0, 1e12), min_size=1, max_size=200)
SHARES = st.floats(0, 1)
ROUNDING = 1 + 1e-9


def histogram(durations: list[float]) -> Durations:
    made = Durations()
    for duration in durations:
        made.record(duration)
    return made


def exact(durations: list[float], share: float) -> float:
    """The quantile by its definition: of the nearest rank."""
    rank = max(1, math.ceil(share * len(durations) - 1e-9))
    return sorted(durations)[rank - 1]


@given(DURATIONS, SHARES)
def test_quantile_is_at_most_two_percent_longer_than_the_exact_one(
    durations: list[float], share: float
) -> None:
    found = histogram(durations).quantile(share)
    assert found is not None
    wanted = exact(durations, share)
    assert wanted <= found * ROUNDING
    assert found <= wanted * GROWTH * ROUNDING


@given(ANYTHING)
def test_least_most_and_count_are_exact(durations: list[float]) -> None:
    found = histogram(durations)
    assert (found.count, found.least, found.most) == (
        len(durations),
        min(durations),
        max(durations),
    )
    assert found.quantile(1) == max(durations)
    assert found.mean == pytest.approx(sum(durations) / len(durations))


@given(ANYTHING, SHARES, SHARES)
def test_quantiles_grow_with_the_share(durations: list[float], one: float, two: float) -> None:
    found = histogram(durations)
    assert found.quantile(min(one, two)) <= found.quantile(max(one, two))


@given(ANYTHING, ANYTHING, SHARES)
def test_histograms_add_up(one: list[float], two: list[float], share: float) -> None:
    added = histogram(one)
    added.add(histogram(two))
    both = histogram([*one, *two])
    assert added.quantile(share) == both.quantile(share)
    assert added.rows(10) == both.rows(10)
    assert (added.count, added.least, added.most) == (both.count, both.least, both.most)


@given(ANYTHING, st.integers(1, 50))
def test_rows_hold_every_duration_once_and_rise(durations: list[float], most: int) -> None:
    rows = histogram(durations).rows(most)
    ends = [row.up_to for row in rows]
    assert len(rows) <= most
    assert ends == sorted(ends)
    assert ends[-1] == max(durations)
    assert sum(row.calls for row in rows) == len(durations)


def test_memory_does_not_grow_with_the_range_or_number_of_durations() -> None:
    spread = histogram([10.0**exponent for exponent in range(-12, 12)])
    dense = histogram([1e-6 * 1.0002**step for step in range(110_000)])
    assert spread.count == 24
    assert len(dense.rows(10**6)) <= 1200


def test_empty_histogram_has_no_figures() -> None:
    empty = Durations()
    assert (empty.quantile(0.5), empty.mean, empty.least, empty.most) == (None, None, None, None)
    assert empty.rows(10) == []
