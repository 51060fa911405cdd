from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.services.node.supervision import Decision, Policy, Supervision

POLICY = Policy(stable_after=10, first_delay=0.5, longest_delay=5, failing_after=3)
FAILED = 1


def delays(lives: list[float], policy: Policy = POLICY) -> list[float | None]:
    supervision = Supervision(policy)
    return [supervision.ended(FAILED, lived).delay for lived in lives]


@pytest.mark.parametrize(
    ('lives', 'expected'),
    [
        ([0, 0, 0, 0, 0, 0], [0.5, 1, 2, 4, 5, 5]),
        ([0, 0, 10, 0, 0], [0.5, 1, 0.5, 0.5, 1]),
        ([3600, 3600], [0.5, 0.5]),
    ],
)
def test_delays_grow_with_short_lives_in_a_row(lives: list[float], expected: list[float]) -> None:
    assert delays(lives) == expected


def test_what_ends_with_exit_code_0_has_finished() -> None:
    assert Supervision(POLICY).ended(0, lived=0.1) == Decision(delay=None)


@pytest.mark.parametrize('exit_code', [1, 127, -9, -15])
def test_what_ends_otherwise_is_started_again(exit_code: int) -> None:
    assert Supervision(POLICY).ended(exit_code, lived=100) == Decision(delay=0.5)


def test_what_keeps_failing_raises_the_alarm_once() -> None:
    supervision = Supervision(POLICY)
    alarms = [supervision.ended(FAILED, lived=0).alarm for _ in range(6)]
    assert alarms == [False, False, True, False, False, False]
    assert supervision.failing


def test_one_long_life_ends_the_alarm_and_makes_room_for_the_next() -> None:
    supervision = Supervision(POLICY)
    for _ in range(4):
        supervision.ended(FAILED, lived=0)
    supervision.ended(FAILED, lived=10)
    assert not supervision.failing
    assert [supervision.ended(FAILED, lived=0).alarm for _ in range(3)] == [False, False, True]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=3000))
def test_no_life_is_followed_by_none_and_no_delay_leaves_its_bounds(lives: list[float]) -> None:
    for delay in delays(lives):
        assert delay is not None
        assert POLICY.first_delay <= delay <= POLICY.longest_delay
