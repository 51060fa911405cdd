"""The load that command-line options request; it always has an end."""

from __future__ import annotations

import pytest

from lymph.cli._running.load.plan import DEFAULT_REQUESTS, Plan, plan_of


@pytest.mark.parametrize(
    ('options', 'plan'),
    [
        ((None, None, None), None),
        ((5, None, None), Plan(5, 1, None)),
        ((5, 3, None), Plan(5, 3, None)),
        ((None, 3, None), Plan(DEFAULT_REQUESTS, 3, None)),
        ((None, None, 2.0), Plan(None, 1, 2.0)),
        ((5, 3, 2.0), Plan(5, 3, 2.0)),
        ((2, 64, None), Plan(2, 2, None)),
    ],
)
def test_load_has_an_end_and_no_more_callers_than_calls(options: tuple, plan: Plan | None) -> None:
    assert plan_of(*options) == plan
