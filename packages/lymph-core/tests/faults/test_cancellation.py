"""Calls that nobody waits for are cancelled across processes, and leave nothing behind."""

from __future__ import annotations

import signal

import gevent
import pytest

import lymph
from lymph.testing.waiting import eventually


@pytest.fixture
def history(ask):
    """Return how many steps an instance took last, and how, once so many calls have ended."""

    def history(instance, calls):
        def ended():
            found = ask(instance, 'history')
            return found if len(found['ended']) == calls else None

        found = eventually(ended, 20)
        return found['taken'], found['ended'][-1]

    return history


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_nested_call_two_services_deep_stops_when_the_caller_gives_up(
    start, client, begin, history
):
    first, second = start(services='ab')
    with pytest.raises(lymph.Timeout):
        client.request('a', 'a.cancellable_steps', {'count': 30}, timeout=0.5)
    taken, outcome = history(first, 1)
    assert (taken <= 5, outcome) == (True, 'Cancelled')

    nested = {'count': 30, 'path': ['b']}
    with pytest.raises(lymph.Timeout):
        client.request('a', 'a.cancellable_steps', nested, timeout=0.5)
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.5):
        client.request('a', 'a.cancellable_steps', nested, timeout=60)
    assert history(first, 3) == (0, 'Cancelled')
    taken, outcome = history(second, 2)
    assert (taken <= 5, outcome) == (True, 'Cancelled')

    call = begin('a', 'cancellable_steps', count=600, path=['b'])
    eventually(lambda: client.request('b', 'b.history')['taken'] == 1)
    first.send(signal.SIGKILL)
    assert history(second, 3)[1] == 'Cancelled'
    with pytest.raises(lymph.ConnectionLost):
        call.get(timeout=20)


@pytest.mark.parametrize(
    ('cancel', 'method'), [(False, 'steps'), (True, 'shielded_steps'), (True, 'steps')]
)
def test_calls_run_to_their_end_unless_cancellation_is_enabled(
    start, client, history, cancel, method
):
    (instance,) = start(rpc={'cancel': cancel})
    with pytest.raises(lymph.Timeout):
        client.request('work', f'work.{method}', {'count': 4}, timeout=0.2)
    taken, outcome = history(instance, 1)
    if cancel and method == 'steps':
        assert (taken <= 2, outcome) == (True, 'Cancelled')
    else:
        assert (taken, outcome) == (4, 'given up')


def test_running_calls_are_killed_in_a_drain(start, client, begin):
    (instance,) = start(drain_timeout=0.1)
    call = begin('work', 'cancellable_steps', count=600)
    eventually(lambda: client.request('work', 'work.history')['taken'] > 0)
    instance.stop()
    assert instance.ended() == 1
    assert 'work.steps ended with Killed' in instance.log.read_text()
    with pytest.raises(lymph.Failed, match='the service stopped while it ran'):
        call.get(timeout=20)


def test_a_hundred_thousand_cancelled_calls_leave_nothing_behind(start, make_client, nothing_left):
    (instance,) = start()
    caller = make_client()
    container, endpoint = caller.container, instance.endpoint

    def by_channel():
        channels = [container.send_request(endpoint, 'work.wait', timeout=60) for _ in range(250)]
        yield
        for channel in channels:
            channel.cancel()

    def by_greenlet():
        calls = [
            gevent.spawn(caller.request, endpoint, 'work.wait', timeout=60) for _ in range(250)
        ]
        yield
        gevent.killall(calls)

    def running(count):
        return caller.request(endpoint, 'lymph.status')['handlers']['running'] == count

    for number in range(400):
        batch = (by_greenlet if number % 10 == 0 else by_channel)()
        next(batch)
        eventually(lambda: running(250))
        assert next(batch, None) is None
        eventually(lambda: running(0))
    status = caller.request(endpoint, 'lymph.status')
    assert status['handlers']['cancelled'] == 100_000
    nothing_left(caller, instance)
