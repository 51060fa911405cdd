"""Instances that are asked to stop finish their running calls, and no caller fails."""

from __future__ import annotations

import signal

import pytest

from lymph.exceptions import LookupFailure, Refused, RpcError
from lymph.testing.waiting import eventually, let_pass


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_rolling_restart_under_load_fails_no_call(start, make_client, load, nothing_left):
    old = start(3)
    caller = make_client(retries=0)
    loads = [load(10, caller, seconds=0), load(10, caller, seconds=0.05)]
    new = []
    for instance in old:
        new += start(1)
        for calls in loads:
            calls.go_on(50)
        instance.stop()
        assert instance.ended() == 0, instance.log.read_text()
    for calls in loads:
        calls.go_on(50)
        calls.end()
        assert calls.failures() == []
        assert calls.pids_since(0) == {instance.pid for instance in [*old, *new]}
    nothing_left(caller, *new)


def test_stopping_instance_finishes_running_calls_and_is_unregistered(start, client, begin):
    (instance,) = start(drain_timeout=20)
    running = begin('work', 'do', token=1, seconds=1)
    eventually(lambda: started(client, instance))
    instance.stop()
    eventually(lambda: nobody_offers(client, 'work'))
    assert running.get() == [instance.pid, 1]
    assert instance.ended() == 0


def test_call_to_a_draining_instance_is_refused_as_not_executed(start, client, ask, begin):
    (instance,) = start(drain_timeout=20)
    running = begin(instance.endpoint, 'do', token=1, seconds=2)
    eventually(lambda: started(client, instance))
    instance.stop()

    refusal = begin(instance.endpoint, 'do', token=2)
    refusal.join()
    while refusal.successful():
        let_pass(0.6, 'who goes on calling at once is not yet turned away')
        refusal = begin(instance.endpoint, 'do', token=2)
        refusal.join()
    with pytest.raises(Refused) as caught:
        refusal.get()
    assert (caught.value.reason, caught.value.executed) == ('draining', 'no')
    assert running.get() == [instance.pid, 1]
    assert instance.ended() == 0


def test_handler_that_outlasts_the_drain_timeout_is_killed_and_its_caller_gets_an_error(
    start, client, begin
):
    (instance,) = start(drain_timeout=0.2)
    running = begin('work', 'do', token=1, seconds=60)
    eventually(lambda: started(client, instance))
    instance.stop()
    with pytest.raises(RpcError, match='the service stopped while it ran') as caught:
        running.get()
    assert caught.value.executed == 'yes'
    assert instance.ended() == 1


def test_second_signal_stops_the_instance_at_once(start, client, begin):
    (instance,) = start(drain_timeout=60)
    running = begin('work', 'do', token=1, seconds=60)
    eventually(lambda: started(client, instance))
    instance.stop()
    eventually(lambda: nobody_offers(client, 'work'))
    instance.send(signal.SIGTERM)
    with pytest.raises(RpcError, match='the service stopped while it ran') as caught:
        running.get()
    assert caught.value.executed == 'yes'
    assert instance.ended() == 1


def test_second_signal_without_running_handlers_is_a_clean_exit(start, client, ask):
    (instance,) = start(drain_timeout=60)
    instance.stop()
    eventually(lambda: nobody_offers(client, 'work'))
    instance.send(signal.SIGTERM)
    assert instance.ended() == 0


def test_connected_callers_do_not_prevent_an_instance_from_exiting(start, make_client):
    (instance,) = start()
    clients = [make_client() for _ in range(5)]
    for caller in clients:
        assert caller.request('work', 'work.do', token=1) == [instance.pid, 1]
    instance.stop()
    assert instance.ended() == 0
    for caller in clients:
        eventually(lambda caller=caller: caller.container.rpc.stats()['connections'] == [])


def started(client, instance):
    """Return whether exactly one handler is running."""
    return client.request(instance.endpoint, 'lymph.status')['handlers']['running'] == 1


def nobody_offers(client, service):
    try:
        return not len(client.container.lookup(service))
    except LookupFailure:
        return True
