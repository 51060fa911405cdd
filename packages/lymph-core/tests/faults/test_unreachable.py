"""Unreachable instances fail no call of callers that start afterwards."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack

import gevent
import pytest
from gevent.server import StreamServer

from lymph.client import Client
from lymph.config import Configuration
from lymph.exceptions import NotConnected
from lymph.testing.waiting import eventually

KINDS = ['refused', 'black_hole', 'mute', 'hanging_up', 'unknown']
TRANSPORTS = pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])


class BadAddresses:
    """Endpoints that are unreachable, each in a different way."""

    def __init__(self, stack):
        self._stack = stack
        self.accepted = 0

    def refused(self):
        """Return an endpoint that refuses connections; its port stays reserved."""
        taken = self._stack.enter_context(socket.socket())
        taken.bind(('127.0.0.1', 0))
        return f'tcp://127.0.0.1:{taken.getsockname()[1]}'

    def black_hole(self):
        """Return an endpoint that answers no SYN because its accept queue is full."""
        server = self._stack.enter_context(socket.create_server(('127.0.0.1', 0), backlog=0))
        for _ in range(2):
            filling = self._stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(server.getsockname())
        return f'tcp://127.0.0.1:{server.getsockname()[1]}'

    def mute(self):
        """Return an endpoint that accepts connections and never sends anything."""
        server = self._stack.enter_context(socket.create_server(('127.0.0.1', 0), backlog=100))
        return f'tcp://127.0.0.1:{server.getsockname()[1]}'

    def hanging_up(self):
        """Return an endpoint that accepts connections and closes them at once."""

        def hang_up(sock, address):
            self.accepted += 1

        server = StreamServer(('127.0.0.1', 0), hang_up)
        server.start()
        self._stack.callback(server.stop)
        return f'tcp://127.0.0.1:{server.server_port}'

    def unknown(self):
        """Return an endpoint whose host does not exist."""
        return 'tcp://nowhere.invalid:4000'


@pytest.fixture
def bad():
    with ExitStack() as stack:
        yield BadAddresses(stack)


@pytest.fixture
def knowing(transport):
    """Return a factory of clients with fixed addresses of the service `work`."""
    clients = []

    def knowing(*endpoints, **rpc):
        registry = {'class': 'static', 'services': {'work': list(endpoints)}}
        rpc = {'transport': transport, **rpc}
        container = {'events': {'class': 'null'}, 'registry': registry, 'rpc': rpc}
        clients.append(Client.from_config(Configuration({'container': container})))
        return clients[-1]

    yield knowing
    for client in clients:
        client.close()


@TRANSPORTS
def test_instance_suspended_before_the_caller_started_fails_no_call(start, make_client, load):
    stopped, good = start(2)
    stopped.send(signal.SIGSTOP)
    calls = load(4, make_client(), timeout=1.0)
    calls.go_on(1000)
    assert calls.failures() == []
    assert calls.pids_since(0) == {good.pid}
    stopped.send(signal.SIGCONT)
    eventually(lambda: stopped.pid in calls.pids_since(0), 20)
    calls.end()
    assert calls.failures() == []


@TRANSPORTS
@pytest.mark.parametrize('kinds', [*([kind] for kind in KINDS), 2 * KINDS])
def test_unreachable_addresses_fail_no_call(start, knowing, load, bad, kinds):
    (good,) = start()
    client = knowing(*(getattr(bad, kind)() for kind in kinds), good.endpoint)
    calls = load(4, client, timeout=1.0)
    calls.go_on(300)
    calls.end()
    assert calls.failures() == []
    assert calls.pids_since(0) == {good.pid}


@TRANSPORTS
def test_failed_address_is_retried_by_a_single_probe_and_not_by_calls(start, knowing, load, bad):
    (good,) = start()
    calls = load(8, knowing(bad.hanging_up(), good.endpoint), timeout=1.0, seconds=0)
    calls.go_on(200)
    before, began = bad.accepted, time.monotonic()
    calls.go_on(1000)
    calls.end()
    assert bad.accepted - before <= 1 + (time.monotonic() - began) / 0.075
    assert calls.failures() == []


@TRANSPORTS
@pytest.mark.parametrize('kind', ['black_hole', 'mute'])
def test_call_fails_at_the_connect_timeout_if_the_only_instance_does_not_answer(knowing, bad, kind):
    client = knowing(getattr(bad, kind)(), connect_timeout=0.2)
    said = r'^1 instance of work known, none reachable: tcp://.*: no connection within 0\.2 s'
    with gevent.Timeout(20), pytest.raises(NotConnected, match=said) as caught:
        client.request('work', 'work.do', {'token': 1}, timeout=60)
    assert caught.value.executed == 'no'


@TRANSPORTS
def test_call_reaches_the_only_instance_as_soon_as_it_has_started(start, knowing, bad):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]
        client = knowing(f'tcp://127.0.0.1:{port}')
        for _ in range(5):
            with pytest.raises(NotConnected):
                client.request('work', 'work.do', {'token': 1}, timeout=1)
    (instance,) = start(port=port)
    assert client.request('work', 'work.do', {'token': 1}, timeout=1) == [instance.pid, 1]
