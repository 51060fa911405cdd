"""An instance whose loop is blocked by a handler is unresponsive, but not dead."""

from __future__ import annotations

import time

import gevent

from lymph.testing.waiting import eventually


def test_instance_whose_loop_is_blocked_for_ten_seconds_stays_connected_and_registered(
    start, make_client
):
    def block(transport):
        (instance,) = start(services=[transport], block_threshold=0.5, rpc={'transport': transport})
        client = make_client(transport=transport)
        connection = client.container.connect(instance.endpoint)

        def call(method, **body):
            return client.request(transport, f'{transport}.{method}', body, timeout=60)

        blocking = gevent.spawn(call, 'block_the_loop', seconds=10)
        eventually(lambda: 'the loop has been blocked' in instance.log.read_text())
        behind = gevent.spawn(call, 'do', token=1)
        while not blocking.ready():
            assert connection.state == 'up'
            assert [known.pid for known in client.container.lookup(transport)] == [instance.pid]
            assert transport in client.container.discover()
            gevent.wait([blocking], timeout=0.5)
        assert blocking.get() == instance.pid
        assert behind.get() == [instance.pid, 1]
        assert client.container.connect(instance.endpoint) is connection
        assert 'in block_the_loop' in instance.log.read_text()
        metrics = client.request(instance.endpoint, 'lymph.get_metrics')
        assert [value for name, value, _ in metrics if name == 'loop.blocks'] >= [1]

    blocked = [gevent.spawn(block, transport) for transport in ('zmtp', 'zeromq')]
    gevent.joinall(blocked, raise_error=True)


def test_instance_with_a_blocked_loop_is_avoided_after_timeouts(
    start, make_client, load, ask, silent, nothing_left
):
    blocked, other = start(2)
    caller = make_client()
    calls = load(10, caller, timeout=0.3)
    calls.go_on()
    blocking = gevent.spawn(ask, blocked, 'block_the_loop', seconds=3)
    eventually(lambda: silent(caller) == [blocked.endpoint])
    noticed = time.monotonic()
    calls.go_on()
    assert calls.pids_since(noticed) == {other.pid}
    assert blocking.get() == blocked.pid
    eventually(lambda: blocked.pid in calls.pids_since(noticed))
    calls.end()
    assert {failure.kind for failure in calls.failures()} == {('Timeout', 'maybe')}
    assert all(failure.began < noticed for failure in calls.failures())
    nothing_left(caller, blocked, other)
