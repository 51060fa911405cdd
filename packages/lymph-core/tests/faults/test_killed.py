"""Killing an instance fails the calls in flight on it, and no others."""

from __future__ import annotations

import signal
import time

import pytest

from lymph.exceptions import ConnectionLost
from lymph.testing.waiting import eventually


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_killing_one_of_three_instances_fails_only_its_calls_in_flight(
    start, make_client, load, nothing_left
):
    victim, *others = start(3)
    caller = make_client()
    callers = 20
    calls = load(callers, caller)
    calls.go_on()
    assert calls.pids_since(0) == {victim.pid, *(other.pid for other in others)}
    assert calls.failures() == []
    victim.kill()
    eventually(lambda: victim.endpoint not in endpoints(caller))
    noticed = time.monotonic()
    calls.go_on(1000)
    calls.end()
    for failure in calls.failures():
        assert failure.kind == ('ConnectionLost', 'maybe')
        assert victim.endpoint in str(failure.error)
        assert failure.began < noticed
    assert len(calls.failures()) <= callers
    assert calls.pids_since(noticed) == {other.pid for other in others}
    nothing_left(caller, *others)


def test_killing_the_only_instance_fails_its_calls_in_flight_as_connection_lost(
    start, load, client
):
    (victim,) = start(1)
    calls = load(10, client, seconds=10)
    eventually(lambda: calls.in_flight() == 10)
    calls.call_no_more()
    victim.kill()
    calls.end()
    assert {outcome.kind for outcome in calls.outcomes} == {('ConnectionLost', 'maybe')}
    assert len(calls.outcomes) == 10


def test_call_whose_handler_kills_its_process_is_not_retried(start, client):
    instances = start(2)
    with pytest.raises(ConnectionLost) as caught:
        client.request('work', 'work.crash', answered=False, timeout=10)
    assert caught.value.executed == 'maybe'
    (dead,) = eventually(lambda: [i for i in instances if not i.running])
    assert dead.endpoint in str(caught.value)
    (other,) = (i for i in instances if i.running)
    assert client.request('work', 'work.do', token=1) == [other.pid, 1]


def test_answer_sent_before_a_crash_arrives(start, client):
    (instance,) = start()
    assert client.request('work', 'work.crash', answered=True, timeout=10) == instance.pid
    assert instance.ended() == -signal.SIGKILL


def endpoints(client):
    return [link['endpoint'] for link in client.container.rpc.stats()['connections']]
