from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.retrying import RetryBudget, backoff, may_retry
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    NotConnected,
    Refused,
    RemoteError,
    Timeout,
)


@pytest.mark.parametrize(
    ('error', 'plain', 'idempotent'),
    [
        (NotConnected('x'), True, True),
        (Refused('x', 'overloaded'), True, True),
        (Refused('x', 'draining'), True, True),
        (Refused('x', 'starting'), True, True),
        (Refused('x', 'a_reason_of_tomorrow'), True, True),
        (Refused('x', 'unknown_interface'), True, True),
        (Refused('x', 'unknown_version'), True, True),
        (Refused('x', 'unknown_method'), False, False),
        (Refused('x', 'invalid_arguments'), False, False),
        (Refused('x', 'malformed'), False, False),
        (Refused('x', 'expired'), False, False),
        (LookupFailure('x'), False, False),
        (Expired('x'), False, False),
        (Timeout('x'), False, True),
        (ConnectionLost('x'), False, True),
        (Failed('x'), False, False),
        (RemoteError('x'), False, False),
        (RemoteError.named('ValueError', 'x'), False, False),
    ],
    ids=lambda v: (
        f'{type(v).__name__}-{getattr(v, "reason", "")}' if not isinstance(v, bool) else ''
    ),
)
def test_only_calls_that_are_safe_to_repeat_are_retried(error, plain, idempotent):
    assert may_retry(error, False) is plain
    assert may_retry(error, True) is idempotent


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_the_pause_is_short_and_bounded(attempt, chance):
    assert 0 < backoff(attempt, lambda: chance) <= 0.5


def test_the_pause_grows():
    pauses = [backoff(attempt, lambda: 0.5) for attempt in range(1, 8)]
    assert pauses == sorted(pauses)
    assert len(set(itertools.islice(pauses, 5))) == 5


def test_pauses_of_callers_that_fail_together_differ():
    assert backoff(3, lambda: 0.0) < backoff(3, lambda: 0.9)


def test_retries_of_calls_that_may_have_run_are_limited_to_a_share():
    budget = RetryBudget(share=0.1, burst=3)
    assert [budget.spend(0) for _ in range(5)] == [True, True, True, False, False]
    assert [budget.spend(20) for _ in range(3)] == [True, True, False]
    assert [budget.spend(10_000) for _ in range(4)] == [True, True, True, False]
