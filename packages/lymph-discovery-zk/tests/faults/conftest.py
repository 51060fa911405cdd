"""Services as real processes that find each other through ZooKeeper, one of which always calls."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
import time
from pathlib import Path

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.retry import KazooRetry

from lymph.client import Client
from lymph.config import Configuration
from lymph.exceptions import RpcError
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.servers import ZookeeperServer
from lymph.testing.waiting import eventually

SESSION = 5.0  # seconds
LONG = 60.0  # seconds for what has to happen
OUTAGE = 120.0  # seconds

_LYMPH = Path(sys.executable).with_name('lymph')
_AGAIN = 'until "$@"; do sleep 0.5; done'  # a shell as the simplest of supervisors


class Service:
    """A process that runs ``lymph instance``; with `insisting`, again until it starts."""

    def __init__(self, folder, name, number, config, insisting=False):
        self.name = name
        self.log = folder / f'{number}.log'
        path = folder / f'{number}.json'
        path.write_text(json.dumps(config))
        command = [str(_LYMPH), 'instance', '--config', str(path)]
        here = str(Path(__file__).parent)
        plain = {key: value for key, value in os.environ.items() if key != 'PYTHONUNBUFFERED'}
        self._process = GuardedProcess(
            ['/bin/sh', '-c', _AGAIN, 'sh', *command] if insisting else command,
            environment={**plain, 'PYTHONPATH': here, 'LYMPH_STATE_DIR': str(folder)},
            folder=folder,
            log=self.log,
        )
        self.pid = None
        self.endpoint = None

    @property
    def running(self):
        return self._process.running

    @property
    def ended_with(self):
        return self._process.exit_status

    def said(self, pattern):
        return re.search(pattern, self.log.read_text(), re.MULTILINE)

    def send(self, number):
        self._process.send(number)

    def kill(self):
        self._process.end()

    def drain(self):
        """Let it drain and stop; return when it has ended."""
        self.send(signal.SIGTERM)
        eventually(lambda: not self.running, LONG, self.log.read_text)


class Scene:
    """Some `work`, a `caller` of it, and checks of both."""

    def __init__(self, folder, hosts):
        self.hosts = hosts
        self.chroot = f'/t{secrets.token_hex(6)}'
        self._folder = folder
        self._services = []
        container = {'registry': {'class': 'static'}, 'events': {'class': 'null'}}
        self._client = Client.from_config(Configuration({'container': container}))
        retry = KazooRetry(max_tries=-1, max_delay=1, sleep_func=gevent.sleep)
        self._zookeeper = KazooClient(
            hosts, handler=SequentialGeventHandler(), connection_retry=retry
        )
        self._zookeeper.start()

    def begin(self, name, hosts=None, **options):
        """Start a service without waiting for it."""
        config = {
            'container': {
                'registry': {
                    'class': 'zookeeper',
                    'zkclient': {'hosts': hosts or self.hosts, 'timeout': SESSION},
                    'chroot': self.chroot,
                    'connect_timeout': 5.0,
                },
                'events': {'class': 'null'},
            },
            'interfaces': {name: {'class': f'program:{name.capitalize()}'}},
        }
        self._services.append(Service(self._folder, name, len(self._services), config, **options))
        return self._services[-1]

    def ready(self, service):
        """Return the service when it can be called."""
        at = eventually(
            lambda: service.said(rf'{service.name} at (tcp://\S+)$'), LONG, service.log.read_text
        )
        service.endpoint = at[1]
        service.pid = self._client.request(service.endpoint, 'lymph.status', timeout=LONG)['pid']
        return service

    def start(self, *names, hosts=None):
        """Start services, each once the one before can be called; return them."""
        return [self.ready(self.begin(name, hosts)) for name in names]

    def ask(self, service, method, timeout=LONG, **body):
        return self._client.request(
            service.endpoint, f'{service.name}.{method}', body, timeout=timeout
        )

    def registered(self, name):
        """Return the processes that have a node in ZooKeeper; None while that is unknown."""
        folder = f'{self.chroot}/services/{name}'
        try:
            nodes = [
                self._zookeeper.get(f'{folder}/{key}')
                for key in self._zookeeper.get_children(folder)
            ]
        except NoNodeError:
            return set()
        except KazooException:
            return None
        return {json.loads(data)['pid'] for data, _ in nodes}

    def expect(self, caller, *work):
        """Expect restored registrations within a session, correct lookups, and answered calls."""
        pids = {one.pid for one in work}
        for name, wanted in (('work', pids), ('caller', {caller.pid})):
            eventually(
                lambda name=name, wanted=wanted: self.registered(name) == wanted,
                SESSION,
                lambda name=name, wanted=wanted: f'{self.registered(name)} to be {wanted}',
            )
        eventually(lambda: self._discovered(caller) == {'work', 'caller'}, LONG)
        eventually(lambda: self.ask(caller, 'known') == pids, LONG)
        self.ask(caller, 'report')
        answered = set()

        def everybody():
            answered.update(self.ask(caller, 'report')['answered'])
            return answered >= pids

        eventually(everybody, LONG, lambda: f'{answered} to be {pids}')

    def failures(self, caller):
        return self.ask(caller, 'report')['failures']

    def go_on(self, caller, calls=100):
        """Wait until that many more calls have ended."""
        enough = self.ask(caller, 'report')['calls'] + calls
        eventually(lambda: self.ask(caller, 'report')['calls'] >= enough, LONG)

    def close(self):
        for service in self._services:
            service.kill()
        self._client.close()
        self._zookeeper.stop()
        self._zookeeper.close()

    def _discovered(self, caller):
        try:
            return self.ask(caller, 'discovered')
        except RpcError:
            return None


class Outage:
    """A server that is down for two minutes, while a service is called and another one starts."""

    def __init__(self, folder):
        self._server = ZookeeperServer(folder / 'zookeeper')
        self._server.start()
        self.scene = Scene(folder, self._server.hosts)
        *self.work, self.caller = self.scene.start('work', 'work', 'caller')
        self.scene.go_on(self.caller)
        self._server.stop()
        self._began = time.monotonic()
        self.newcomer = self.scene.begin('work', insisting=True)

    def end(self):
        """Restart the server at the end of the outage."""
        gevent.sleep(max(0.0, self._began + OUTAGE - time.monotonic()))
        self._server.start()

    def close(self):
        self.scene.close()
        self._server.close()


@pytest.fixture(scope='session')
def outage(tmp_path_factory):
    outage = Outage(tmp_path_factory.mktemp('outage'))
    yield outage
    outage.close()


@pytest.fixture(scope='session', autouse=True)
def _outage_begins_early(request):
    """Let the long outage pass while the other tests run."""
    if any('outage' in item.fixturenames for item in request.session.items):
        request.getfixturevalue('outage')


@pytest.fixture
def make_scene(tmp_path):
    scenes = []

    def make_scene(hosts):
        scenes.append(Scene(tmp_path, hosts))
        return scenes[-1]

    yield make_scene
    for scene in scenes:
        scene.close()


@pytest.fixture
def scene(make_scene, zookeeper_server):
    return make_scene(zookeeper_server.hosts)
