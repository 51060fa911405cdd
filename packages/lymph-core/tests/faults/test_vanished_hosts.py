"""Services and callers on separate hosts that vanish, are cut off, and are restored."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from gevent.subprocess import Popen

from lymph.exceptions import LookupFailure
from lymph.testing.faults.hosts import Network
from lymph.testing.waiting import eventually

TRANSPORTS = pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
PORT = 4000
RUN = 'from lymph.monkey import patch; patch(); from {0} import main; main()'


@pytest.fixture
def network():
    with Network(Popen) as network:
        yield network


@pytest.fixture
def run(tmp_path, transport):
    """Return a function that runs a module of this folder on a host, with a configuration."""
    numbers = itertools.count()

    def run(host, module, container, interfaces, *arguments):
        name = f'{module}{next(numbers)}'
        rpc = {'transport': transport, 'unresponsive_timeout': 2, **container.pop('rpc', {})}
        config = {'container': {'events': {'class': 'null'}, 'rpc': rpc, **container}}
        path = tmp_path / f'{name}.json'
        path.write_text(json.dumps({**config, **interfaces}))
        searched = os.pathsep.join([str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')])
        process = host.start(
            [sys.executable, '-c', RUN.format(module), str(path), *arguments],
            environment={**os.environ, 'PYTHONPATH': searched},
            folder=tmp_path,
            log=tmp_path / f'{name}.log',
        )
        process.log = tmp_path / f'{name}.log'
        return process

    return run


@pytest.fixture
def serve(run, client):
    """Return a function that starts the service on a host and waits until it is announced."""

    def serve(host, **container):
        container = {'ip': '0.0.0.0', 'port': PORT, **container}
        process = run(
            host, 'program', container, {'interfaces': {'work': {'class': 'program:Work'}}}
        )

        def announced():
            try:
                known = client.container.lookup('work')
            except LookupFailure:
                return None
            return next((each.endpoint for each in known if each.pid == process.pid), None)

        process.endpoint = eventually(announced, 20, process.log.read_text)
        return process

    return serve


class Calls:
    """The outcomes recorded so far by a calling process."""

    def __init__(self, process, path):
        self._process = process
        self._path = path

    def outcomes(self):
        if not self._path.exists():
            return []
        return [
            json.loads(line)
            for line in self._path.read_text().splitlines(keepends=True)
            if line.endswith('\n')
        ]

    def failures(self):
        return [outcome for outcome in self.outcomes() if outcome['error']]

    def pids_since(self, moment):
        return {each['pid'] for each in self.outcomes() if each['began'] > moment} - {None}

    def go_on(self, count):
        """Wait until `count` more calls have ended."""
        enough = len(self.outcomes()) + count
        eventually(lambda: len(self.outcomes()) >= enough, 30, self._process.log.read_text)

    def end(self):
        self._process.send(signal.SIGTERM)
        eventually(lambda: not self._process.running, 20, self._process.log.read_text)
        assert self._process.exit_status == 0


@pytest.fixture
def call(run, tmp_path):
    """Return a function that starts callers on a host, with fixed addresses or the registry."""

    def call(host, callers, *services):
        path = tmp_path / f'outcomes-{callers}'
        at = [f'tcp://{each.address}:{PORT}' for each in services]
        fixed = {'registry': {'class': 'static', 'services': {'work': at}}}
        process = run(host, 'caller', fixed if at else {}, {}, str(callers), '1', str(path))
        return Calls(process, path)

    return call


@TRANSPORTS
def test_host_that_vanishes_under_load_fails_only_the_calls_in_flight_to_it(network, serve, call):
    victim, good, caller = network.host(), network.host(), network.host()
    gone, stays = serve(victim), serve(good)
    calls = call(caller, 16, victim, good)
    eventually(lambda: {gone.pid, stays.pid} == calls.pids_since(0), 20)
    calls.go_on(200)
    assert calls.failures() == []
    victim.vanish()
    noticed = eventually(calls.failures, 20)[0]['ended']
    calls.go_on(1000)
    calls.end()
    assert calls.pids_since(noticed) == {stays.pid}
    assert len(calls.failures()) <= 16
    for failure in calls.failures():
        assert failure['error'][:2] == ['Timeout', 'maybe']
        assert failure['began'] < noticed


@TRANSPORTS
def test_host_that_vanished_before_the_caller_started_fails_no_call_and_is_used_when_restored(
    network, serve, call
):
    victim, good, caller = network.host(), network.host(), network.host()
    serve(victim)
    stays = serve(good)
    victim.vanish()
    calls = call(caller, 4, victim, good)
    calls.go_on(500)
    assert calls.pids_since(0) == {stays.pid}
    victim.restore()
    back = serve(victim)
    eventually(lambda: back.pid in calls.pids_since(0), 20)
    calls.end()
    assert calls.failures() == []


@pytest.mark.parametrize('transport', ['zmtp'])
def test_host_is_used_again_after_a_network_partition(network, serve, call):
    victim, good, caller = network.host(), network.host(), network.host()
    cut_off, _ = serve(victim), serve(good)
    calls = call(caller, 4, victim, good)
    eventually(lambda: cut_off.pid in calls.pids_since(0), 20)
    victim.cut()
    noticed = eventually(calls.failures, 20)[0]['ended']
    calls.go_on(500)
    victim.restore()
    restored = time.monotonic()
    eventually(lambda: cut_off.pid in calls.pids_since(restored), 30)
    calls.end()
    for failure in calls.failures():
        assert failure['error'][:2] == ['Timeout', 'maybe']
        assert failure['began'] < noticed


@pytest.mark.parametrize('transport', ['zmtp'])
@pytest.mark.parametrize(
    ('ip', 'source', 'advertise', 'announced'),
    [
        ('0.0.0.0', '10.77.0.1', None, '10.77.0.1'),
        ('::', 'fd77::1', None, '[fd77::1]'),
        ('0.0.0.0', '10.88.0.1', '10.77.0.1', '10.77.0.1'),
        ('::', '10.88.0.1', '"[fd77::1]:4000"', '[fd77::1]'),
        ('127.0.0.1', '10.77.0.1', '10.77.0.1:4001', None),
    ],
)
def test_instance_is_called_at_its_announced_address(
    network, serve, call, ip, source, advertise, announced
):
    """`source` is the address of its default route; other hosts cannot reach 10.88.0.1."""
    host, caller = network.host(), network.host()
    host.run('ip', 'address', 'add', '10.88.0.1/32', 'dev', 'lo')
    family, gateway = ('-6', caller.address6) if ':' in source else ('-4', caller.address)
    host.run('ip', family, 'route', 'add', 'default', 'via', gateway, 'src', source)
    container = {} if advertise is None else {'advertise': advertise.strip('"')}
    instance = serve(host, ip=ip, **container)
    if announced is None:
        assert instance.endpoint == 'tcp://10.77.0.1:4001'
        return
    assert instance.endpoint == f'tcp://{announced}:{PORT}'
    calls = call(caller, 1)
    calls.go_on(1)
    calls.end()
    assert calls.failures() == []
