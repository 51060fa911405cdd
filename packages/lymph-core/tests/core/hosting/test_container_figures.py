from __future__ import annotations

import gevent
import pytest

import lymph
from lymph.exceptions import Refused
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc()
    def wait(self):
        gevent.sleep(30)


def test_calls_that_a_full_pool_refuses_are_counted(world, spawn):
    service, caller = world.container((Echo, 'echo'), pool_size=1), world.container()

    def pool():
        return {name: value for name, value, _ in service.metrics if name.startswith('pool.')}

    assert pool() == {'pool.size': 1, 'pool.running': 0, 'pool.refused': 0}
    spawn(caller.request, 'echo', 'echo.wait', timeout=30)
    eventually(lambda: pool()['pool.running'] == 1)
    with pytest.raises(Refused):
        caller.request('echo', 'echo.echo', retries=0)
    assert pool() == {'pool.size': 1, 'pool.running': 1, 'pool.refused': 1}
    assert 'pool.size' not in {name for name, _, _ in caller.metrics}


def test_the_listener_and_the_bytes_of_connections_are_metrics(world):
    service = world.container((Echo, 'echo'))

    def figures():
        return {name: value for name, value, _ in service.metrics if name.startswith('listener.')}

    assert figures() == {'listener.accepting': 1, 'listener.dropped': 0}
    service._listener.dropped = 3
    assert figures()['listener.dropped'] == 3
    assert 'connections.buffered' not in {name for name, _, _ in service.metrics}  # unknown here
    assert not any(
        name.startswith('listener.') for name, _, _ in world.container(start=False).metrics
    )
