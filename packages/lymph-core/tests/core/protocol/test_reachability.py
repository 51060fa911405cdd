from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.reachability import FIRST_PAUSE, LONGEST_PAUSE, Reachability


def middle():
    return 0.5


def way(*events, at=100.0):
    """Return a Reachability after `events` at one time; the letters are those below."""
    way = Reachability()
    for event in events:
        {
            'dial': way.dial,
            'up': lambda: way.came_up(at),
            'failed': lambda: way.failed(at, 'why', middle),
            'closed': way.closed,
        }[event]()
    return way


@pytest.mark.parametrize(
    ('events', 'state'),
    [
        ([], 'idle'),
        (['dial'], 'connecting'),
        (['dial', 'up'], 'up'),
        (['dial', 'failed'], 'failed'),
        (['dial', 'closed'], 'idle'),
        (['dial', 'up', 'failed'], 'failed'),
        (['dial', 'up', 'closed'], 'idle'),
        (['dial', 'failed', 'dial'], 'probing'),
        (['dial', 'failed', 'dial', 'up'], 'up'),
        (['dial', 'failed', 'dial', 'failed'], 'failed'),
        (['dial', 'failed', 'dial', 'closed'], 'failed'),
        (['dial', 'failed', 'dial', 'up', 'closed'], 'idle'),
    ],
)
def test_states_and_transitions_are_those_of_the_table(events, state):
    assert way(*events).state == state


def test_endpoint_may_be_dialled_unless_a_connection_is_being_made():
    assert way().may_dial(0)
    assert not way('dial').may_dial(1e9)
    assert not way('dial', 'up').may_dial(1e9)
    assert not way('dial', 'failed', 'dial').may_dial(1e9)


def test_failed_endpoint_is_not_dialled_during_its_pause():
    failed = way('dial', 'failed', at=100.0)
    assert not failed.may_dial(100.0)
    assert failed.may_dial(100.0 + FIRST_PAUSE)


def test_pauses_double_up_to_the_longest():
    failing, pauses = Reachability(), []
    for _ in range(1100):
        failing.dial()
        failing.failed(100.0, 'why', middle)
        pauses.append(failing.until - 100.0)
    assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 50))
def test_pauses_vary_at_random_and_are_never_zero(draw, failures):
    failing = Reachability()
    for _ in range(failures):
        failing.failed(100.0, 'why', lambda: draw)
    pause = failing.until - 100.0
    assert 0.75 * FIRST_PAUSE <= pause <= 1.25 * LONGEST_PAUSE


def test_stable_link_resets_the_failures():
    stood = way(*['dial', 'failed'] * 5, 'dial', 'up', at=100.0)
    stood.failed(200.0, 'why', middle)
    assert (stood.failures, stood.until) == (1, 200.0 + FIRST_PAUSE)


def test_short_lived_link_counts_as_one_more_failure():
    flapping = way(*['dial', 'up', 'failed'] * 5)
    assert flapping.failures == 5


def test_only_endpoint_may_be_dialled_at_once_after_one_failure_and_with_pauses_after_more():
    assert way('dial', 'failed', at=100.0).insist_at() == 100.0
    assert way(*['dial', 'failed'] * 2, at=100.0).insist_at() == 100.0 + FIRST_PAUSE
    assert way(*['dial', 'failed'] * 20, at=100.0).insist_at() == 100.0 + FIRST_PAUSE
