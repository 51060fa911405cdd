"""Counts of connections are sums: none for an endpoint, and none goes back."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event

import lymph
from lymph.exceptions import ConnectionLost, NotConnected, Timeout
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    def on_start(self):
        self.gate = Event()

    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc()
    def wait(self):
        self.gate.wait(30)


def figures(container):
    """Return the metrics of connections by name."""
    found = [sample for sample in container.metrics if sample[0].startswith('connections.')]
    assert all(tags == {} for _, _, tags in found)
    assert len({name for name, _, _ in found}) == len(found)
    return {name.removeprefix('connections.'): value for name, value, _ in found}


def test_calls_and_connections_are_counted(world):
    services = [world.container((Echo, f'echo{number}')) for number in range(2)]
    caller = world.container()
    for number in range(2):
        caller.request(f'echo{number}', f'echo{number}.echo')
        caller.request(f'echo{number}', f'echo{number}.echo')
    found = figures(caller)
    assert (found['open'], found['connecting'], found['opened']) == (2, 0, 2)
    assert (found['requests'], found['replies'], found['pending']) == (4, 4, 0)
    assert (found['failed'], found['lost']) == (0, 0)
    for service in services:
        service.interfaces[0].gate.set()


def test_counts_stay_when_connections_go(world):
    service, caller = world.container((Echo, 'echo')), world.container()
    endpoint = service.endpoint
    for _ in range(3):
        caller.request(endpoint, 'echo.echo')
    with pytest.raises(Timeout):
        caller.request(endpoint, 'echo.wait', timeout=0.02)
    channel = caller.send_request(endpoint, 'echo.wait', timeout=30)
    channel.cancel()
    service.interfaces[0].gate.set()
    eventually(lambda: figures(caller)['strays'] == 2)
    before = figures(caller)
    assert (before['requests'], before['timeouts'], before['given_up']) == (
        6,
        1,
        1,
    )  # a ping of the doubtful peer, too
    caller.connect(endpoint).close()
    caller.request(endpoint, 'echo.echo')  # through a new connection
    after = figures(caller)
    assert (after['opened'], after['open'], after['lost']) == (2, 1, 0)
    assert after['requests'] == before['requests'] + 1
    assert after['replies'] == before['replies'] + 1
    assert after['timeouts'] == 1


def test_connections_that_fail_or_break_are_counted(world, spawn):
    service, caller = world.container((Echo, 'echo')), world.container()
    with pytest.raises(NotConnected):
        caller.request('memory://nowhere', 'echo.echo')
    assert figures(caller)['failed'] >= 1
    assert figures(caller)['lost'] == 0
    waiting = spawn(caller.request, 'echo', 'echo.wait', timeout=30)
    eventually(lambda: figures(caller)['pending'] == 1)
    (link,) = [link for link in world.network.links if link.peer == service.endpoint]
    gevent.get_hub().loop.run_callback(link.close)
    with pytest.raises(ConnectionLost):
        waiting.get(timeout=5)
    found = figures(caller)
    assert (found['lost'], found['pending'], found['open']) == (1, 0, 0)
    service.interfaces[0].gate.set()


def test_instances_that_calls_avoid_are_counted(world):
    services = [world.container((Echo, 'echo')) for _ in range(2)]
    caller = world.container()

    def passed_over():
        return sum(value for name, value, _ in caller.metrics if name == 'calls.passed_over')

    caller.request('echo', 'echo.echo')
    assert passed_over() >= 1  # neither was connected
    for service in services:
        caller.connect(service.endpoint).wait_up(time.monotonic() + 5)
    before = passed_over()
    caller.request('echo', 'echo.echo')
    assert passed_over() == before
