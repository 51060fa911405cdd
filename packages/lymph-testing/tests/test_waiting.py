from __future__ import annotations

import gevent
import pytest

from lymph.testing.waiting import eventually


def test_eventually_returns_the_value_of_the_condition():
    found = []
    gevent.spawn_later(0.01, found.append, 7)
    assert eventually(lambda: found) == [7]


def test_failure_has_the_last_result_of_the_condition():
    found = []
    with pytest.raises(AssertionError, match=r'test_waiting\.py:\d+\).*within 0\.01 s.*gave \[\]'):
        eventually(lambda: found, 0.01)


def test_assertion_errors_of_a_condition_count_as_not_yet_true():
    numbers = [1]

    def complete():
        assert numbers == [1, 2], f'only {numbers}'
        return True

    with pytest.raises(AssertionError, match=r'complete.*it said: only \[1\]'):
        eventually(complete, 0.01)
    gevent.spawn_later(0.01, numbers.append, 2)
    assert eventually(complete)


@pytest.mark.parametrize('message', ['all events', lambda: 'all events'])
def test_message_names_the_condition(message):
    with pytest.raises(AssertionError, match=r'^all events did not come true'):
        eventually(lambda: None, 0.01, message)


def test_another_error_ends_the_waiting():
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 / 0)


def test_condition_is_checked_at_least_once():
    assert eventually(lambda: True, 0)
