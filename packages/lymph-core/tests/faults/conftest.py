"""Services as real processes, and callers that record the outcome of every call."""

from __future__ import annotations

import gc
import itertools
import json
import operator
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import pytest
import zmq
from gevent.subprocess import Popen

from lymph.client import Client
from lymph.config import Configuration
from lymph.core.transport._zeromq.context import shared_context
from lymph.exceptions import LookupFailure, RpcError
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.waiting import eventually

_PROGRAM = 'from lymph.monkey import patch; patch(); from program import main; main()'


class Instance:
    """A service process."""

    def __init__(self, folder, number, service, config):
        self.service = service
        self.log = folder / f'{number}.log'
        path = folder / f'{number}.json'
        path.write_text(json.dumps(config))
        plain = {key: value for key, value in os.environ.items() if key != 'PYTHONUNBUFFERED'}
        searched = os.pathsep.join([str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')])
        self._process = GuardedProcess(
            [sys.executable, '-c', _PROGRAM, str(path)],
            environment={**plain, 'PYTHONPATH': searched},
            folder=folder,
            log=self.log,
            popen=Popen,  # other tests of this run use it too
        )
        self.pid = self._process.pid
        self.endpoint = None
        self.before = None

    def send(self, number):
        self._process.send(number)

    def kill(self):
        """Kill the process with SIGKILL and wait until it has ended."""
        self._process.end()

    def ended(self, timeout=20):
        """Wait until the process has ended and return its exit status."""
        eventually(lambda: not self._process.running, timeout, self.log.read_text)
        return self._process.exit_status

    def stop(self):
        """Ask the process to drain."""
        self.send(signal.SIGTERM)

    @property
    def running(self):
        return self._process.running


@dataclass
class Outcome:
    """The outcome of one call; times are from `time.monotonic`."""

    began: float
    ended: float
    pid: int | None
    error: RpcError | None

    @property
    def kind(self):
        return None if self.error is None else (type(self.error).__name__, self.error.executed)


class Load:
    """Closed load: a fixed number of callers, each of which calls again after every outcome."""

    def __init__(self, client, callers, service='work', *, timeout=5.0, seconds=0.005):
        self.outcomes: list[Outcome] = []
        self._client, self._service = client, service
        self._timeout, self._seconds = timeout, seconds
        self._tokens = itertools.count()
        self._ending = False
        self._callers = [gevent.spawn(self._call_again_and_again) for _ in range(callers)]

    def in_flight(self):
        """Return the number of calls that wait for a reply."""
        return in_flight(self._client)

    def failures(self):
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    def pids_since(self, moment):
        """Return the process ids that answered calls started after `moment`."""
        return {outcome.pid for outcome in self.outcomes if outcome.began > moment} - {None}

    def go_on(self, calls=200):
        """Wait until `calls` more calls have ended."""
        enough = len(self.outcomes) + calls

        def done():
            for caller in self._callers:
                if caller.ready():
                    caller.get()
            return len(self.outcomes) >= enough

        eventually(done, 20, 'so many more calls')

    def call_no_more(self):
        self._ending = True

    def end(self):
        """Wait for the calls in flight; an unexpected error of a caller is raised here."""
        self.call_no_more()
        gevent.joinall(self._callers, raise_error=True)

    def _call_again_and_again(self):
        while not self._ending:
            self.outcomes.append(self._call(next(self._tokens)))

    def _call(self, token):
        body: dict[str, Any] = {'token': token, 'seconds': self._seconds}
        began = time.monotonic()
        try:
            pid, answered = self._client.request(
                self._service, f'{self._service}.do', body, timeout=self._timeout
            )
        except RpcError as error:
            return Outcome(began, time.monotonic(), None, error)
        assert answered == token, 'a caller got the answer to the call of another one'
        return Outcome(began, time.monotonic(), pid, None)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Return the state directory through which the processes of a test find each other."""
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path / 'state'))
    return tmp_path / 'state'


@pytest.fixture
def transport():
    """Return the transport of clients and instances; tests override it as a parameter."""
    return 'zmtp'


@pytest.fixture
def make_client(transport):
    clients = []

    def make_client(**rpc):
        container = {'events': {'class': 'null'}, 'rpc': {'transport': transport, **rpc}}
        clients.append(Client.from_config(Configuration({'container': container})))
        return clients[-1]

    yield make_client
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def start(tmp_path, transport, client, ask):
    """Start instances of a service and return them once they can be called."""
    started = []
    numbers = itertools.count()  # also when two greenlets start some at the same time

    def start(count=1, services=('work',), **container):
        rpc = {'transport': transport, **container.pop('rpc', {})}
        new = []
        for service in services:
            config = {
                'container': {'events': {'class': 'null'}, 'rpc': rpc, **container},
                'interfaces': {service: {'class': 'program:Work'}},
            }
            for _ in range(count):
                new.append(Instance(tmp_path, next(numbers), service, config))
                started.append(new[-1])
        for instance in new:
            instance.endpoint = eventually(
                lambda instance=instance: _endpoint(client, instance),
                20,
                instance.log.read_text,
            )
            instance.before = ask(instance, 'census')
        return new

    yield start
    for instance in started:
        instance.kill()


@pytest.fixture
def load(make_client):
    """Start to call a service from many greenlets of this process."""
    loads = []

    def load(callers=20, client=None, **options):
        loads.append(Load(client or make_client(), callers, **options))
        return loads[-1]

    yield load
    for load in loads:
        gevent.killall(load._callers)


@pytest.fixture
def ask(client):
    """Call one instance over a connection that carries no load."""

    def ask(instance, method, timeout=10, **body):
        subject = f'{instance.service}.{method}'
        return client.request(instance.endpoint, subject, body, timeout=timeout)

    return ask


@pytest.fixture
def begin(client):
    """Start a call and return a greenlet: its `get()` returns the result or raises the error."""
    begun = []

    def begin(address, method, timeout=60, **body):
        service = 'work' if '://' in address else address
        call = gevent.spawn(client.request, address, f'{service}.{method}', body, timeout=timeout)
        begun.append(call)
        return call

    yield begin
    gevent.killall(begun)


@pytest.fixture
def nothing_left(ask):
    """Check that a client has no pending call and releases all resources when it is closed.

    The instances must be in the state in which they were after their start.
    """

    def nothing_left(used, *instances):
        assert in_flight(used) == 0
        assert used.container.rpc.stats()['deferred'] == 0
        used.close()
        eventually(lambda: used.container.rpc.stats()['connections'] == [])
        for instance in instances:
            eventually(lambda instance=instance: quiet(instance), 10)

    def quiet(instance):
        now = ask(instance, 'census')
        assert (now['handlers'], now['callers'], now['pending']) == (1, 1, [])  # who asks is here
        assert now['descriptors'] <= instance.before['descriptors']
        assert now['greenlets'] <= instance.before['greenlets']
        return True

    return nothing_left


@pytest.fixture(autouse=True)
def nothing_remains(state):
    """Check that a test leaves no greenlet and no descriptor in this process."""
    # what a process has for good is there from now on: the loop, and libzmq's thread
    gevent.sleep(0)
    shared_context().socket(zmq.DEALER).close()
    before = _census()
    yield
    eventually(
        lambda: all(map(operator.le, _census(), before)),
        10,
        lambda: f'descriptors and greenlets: {before} before, {_census()} after',
    )


@pytest.fixture
def silent():
    """Return the endpoints that a client avoids because they are unresponsive."""

    def silent(client):
        links = client.container.rpc.stats()['connections']
        return [link['endpoint'] for link in links if link['silent']]

    return silent


def in_flight(client):
    return sum(link['pending'] for link in client.container.rpc.stats()['connections'])


def _endpoint(client, instance):
    try:
        found = client.container.lookup(instance.service)
    except LookupFailure:
        return None
    return next((known.endpoint for known in found if known.pid == instance.pid), None)


def _census():
    gc.collect()
    greenlets = sum(isinstance(o, gevent.Greenlet) and bool(o) for o in gc.get_objects())
    return len(os.listdir('/proc/self/fd')), greenlets
