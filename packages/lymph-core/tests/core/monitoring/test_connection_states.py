from __future__ import annotations

import pytest

from lymph.core.monitoring.connection_states import ConnectionState, ConnectionTracker


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def tracker():
    return ConnectionTracker('first:1', Clock())


def test_tracker_begins_without_a_connection(tracker):
    assert tracker.state == ConnectionState(False, 1, 0, 'first:1', 'not connected yet')


def test_first_connection_is_no_reconnect(tracker):
    tracker.up('here:1')
    assert tracker.state == ConnectionState(True, 2, 0, 'here:1', '')


def test_loss_has_a_reason_and_keeps_the_server(tracker):
    tracker.up('here:1')
    tracker.down('it broke')
    assert tracker.state == ConnectionState(False, 3, 0, 'here:1', 'it broke')
    tracker.down('')
    assert tracker.state.reason == 'not connected'


def test_each_connection_after_the_first_is_a_reconnect(tracker):
    for n in range(3):
        tracker.up(f'here:{n}')
        tracker.down('it broke')
    assert tracker.state.reconnects == 2
    tracker.up('there:1')
    assert tracker.state[2:] == (3, 'there:1', '')


def test_time_is_that_of_the_change_not_of_the_last_attempt(tracker):
    tracker.up('here:1')
    tracker.down('it broke')
    since = tracker.state.since
    tracker.down('refused')
    assert (tracker.state.since, tracker.state.reason) == (since, 'refused')
    tracker.up('here:1')
    since = tracker.state.since
    tracker.up('here:2')
    assert (tracker.state.since, tracker.state.server) == (since, 'here:2')


def test_all_parts_have_to_be_connected(tracker):
    tracker.up('here:1', 'one')
    assert tracker.state.connected
    tracker.down('refused', 'two')
    assert tracker.state[0::4] == (False, 'two: refused')
    tracker.down('it broke', 'one')
    assert tracker.state.reason == 'one: it broke; two: refused'
    tracker.up('here:1', 'one')
    assert not tracker.state.connected
    tracker.up('here:1', 'two')
    assert (tracker.state.connected, tracker.state.reconnects) == (True, 1)


def test_outage_of_several_parts_is_one_outage(tracker):
    tracker.up('here:1', 'one')
    tracker.up('here:1', 'two')
    tracker.down('it broke', 'one')
    since = tracker.state.since
    tracker.down('it broke', 'two')
    tracker.up('here:1', 'one')
    assert tracker.state.since == since
    tracker.up('here:1', 'two')
    assert tracker.state.reconnects == 1


def test_forgotten_part_does_not_count(tracker):
    tracker.up('here:1', 'one')
    tracker.down('refused', 'two')
    tracker.forget('two')
    assert tracker.state.connected
    tracker.forget('one')
    assert (tracker.state.connected, tracker.state.reason) == (False, 'not connected')
