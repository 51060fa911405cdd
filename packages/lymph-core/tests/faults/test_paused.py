"""A suspended process keeps its connections but answers no call: callers avoid it."""

from __future__ import annotations

import signal
import time

import pytest

from lymph.exceptions import Timeout
from lymph.testing.waiting import eventually


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_unresponsive_instance_is_avoided_until_it_answers_again(
    start, make_client, load, silent, nothing_left
):
    victim, *others = start(3)
    caller = make_client()
    calls = load(20, caller, timeout=0.5)
    calls.go_on()
    assert calls.failures() == []
    victim.send(signal.SIGSTOP)
    eventually(lambda: silent(caller) == [victim.endpoint])
    noticed = time.monotonic()
    calls.go_on(1000)
    assert calls.pids_since(noticed) == {other.pid for other in others}
    for failure in calls.failures():
        assert failure.kind == ('Timeout', 'maybe')
        assert victim.endpoint in str(failure.error)
        assert failure.began < noticed
    victim.send(signal.SIGCONT)
    eventually(lambda: silent(caller) == [])
    answering = time.monotonic()
    eventually(lambda: victim.pid in calls.pids_since(answering))
    calls.end()
    assert all(failure.began < noticed for failure in calls.failures())
    nothing_left(caller, victim, *others)


def test_unresponsive_instance_is_called_if_it_is_the_only_one(start, client, silent):
    (alone,) = start()
    assert client.request('work', 'work.do', token=1) == [alone.pid, 1]
    alone.send(signal.SIGSTOP)
    with pytest.raises(Timeout) as caught:
        client.request('work', 'work.do', token=2, timeout=0.2)
    assert caught.value.executed == 'maybe'
    assert silent(client) == [alone.endpoint]
    alone.send(signal.SIGCONT)
    assert client.request('work', 'work.do', token=3, timeout=5) == [alone.pid, 3]
    assert silent(client) == []
