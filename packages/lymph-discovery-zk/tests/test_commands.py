"""Instances and the `lymph` command, as processes that meet in ZooKeeper, over TLS too."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gevent.server import StreamServer
from kazoo.exceptions import NoNodeError

from lymph.core._system.blocking import in_thread
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.servers import ZookeeperServer
from lymph.testing.waiting import eventually

LONG = 60.0  # seconds for what has to happen
LYMPH = Path(sys.executable).with_name('lymph')

SERVICE = """
import lymph

class Echo(lymph.Interface):
    @lymph.rpc()
    def version_asked_for(self):
        return self.version
"""

INTERFACES = {
    'echo@1.5.0': {'class': 'echo_service:Echo'},
    'echo@2.0.0': {'class': 'echo_service:Echo'},
    'site': {'class': 'lymph.web:WebServiceInterface'},
}


class Shell:
    """A folder in which `lymph` runs with one configuration."""

    def __init__(self, folder, chroot):
        self.folder = folder
        self.chroot = chroot
        self._started = []
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != 'PYTHONUNBUFFERED'},
            'PYTHONPATH': str(folder),
            'LYMPH_STATE_DIR': str(folder / 'state'),
        }
        (folder / 'echo_service.py').write_text(SERVICE)

    def configure(self, connect_timeout=3.0, advertise=None, **zkclient):
        registry = {'zkclient': zkclient, 'chroot': self.chroot}
        container = {
            'registry': {**registry, 'connect_timeout': connect_timeout},
            'events': {'class': 'null'},
            **({'advertise': advertise} if advertise else {}),
        }
        config = {'container': container, 'interfaces': INTERFACES}
        (self.folder / '.lymph.yml').write_text(json.dumps(config))

    def run(self, *arguments):
        return subprocess.run(
            [LYMPH, *arguments],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONG,
        )

    def start_instance(self, *arguments):
        """Start an instance and return it when it is registered."""
        log = self.folder / f'{len(self._started)}.log'
        process = GuardedProcess(
            [str(LYMPH), 'instance', *arguments],
            environment=self._environment,
            folder=self.folder,
            log=log,
        )
        self._started.append(process)
        eventually(lambda: 'site at tcp://' in log.read_text(), LONG, log.read_text)
        return process

    def close(self):
        for process in self._started:
            process.end()


@pytest.fixture
def shell(tmp_path, chroot):
    shell = Shell(tmp_path, chroot)
    yield shell
    shell.close()


def json_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failure_of(done):
    """Return the single error line of a command."""
    assert (done.returncode, done.stdout) == (1, '')
    return done.stderr.splitlines()[-1]


def test_discover_shows_the_services_of_an_instance_with_all_facts(
    shell, zookeeper_server, client, chroot
):
    shell.configure(hosts=[zookeeper_server.hosts])
    before = time.time()
    instance = shell.start_instance()
    found = json_of(shell.run('discover', '--json'))
    assert set(found) == {'echo', 'site'}
    assert {each['version'] for each in found['echo']} == {'1.5.0', '2.0.0'}
    (site,) = found['site']
    assert site['http_port'] > 0
    for each in (*found['echo'], site):
        assert each['pid'] == instance.pid
        assert each['endpoint'].startswith('tcp://127.0.0.1:')
        assert each['ip'] == '127.0.0.1'
        assert each['hostname'] == socket.gethostname()
        assert each['fqdn']
        assert before < each['started'] < time.time()
        assert each['identity'] == site['identity']
    assert client.get_children(f'{chroot}/services/site') == [site['identity']]
    assert client.get_children(f'{chroot}/http/site') == [site['identity']]
    with pytest.raises(NoNodeError):
        client.get_children(f'{chroot}/http/echo')


@pytest.mark.parametrize(
    ('asked', 'answered'), [('1', '1.5.0'), ('1.2', '1.5.0'), ('2.0', '2.0.0')]
)
def test_call_finds_an_instance_of_its_version(shell, zookeeper_server, asked, answered):
    shell.configure(hosts=zookeeper_server.hosts)
    shell.start_instance()
    done = shell.run('request', f'echo.version_asked_for@{asked}', '--json')
    assert json_of(done) == answered


def test_call_of_a_missing_version_names_the_existing_ones(shell, zookeeper_server):
    shell.configure(hosts=zookeeper_server.hosts)
    shell.start_instance()
    said = failure_of(shell.run('request', 'echo.version_asked_for@3'))
    assert 'no instance of echo serves 3.0.0 (versions: 1.5.0, 2.0.0)' in said


@pytest.fixture
def answers():
    """Creates a server that answers each connection with these bytes, or not at all for None."""
    servers = []

    def answers(data):
        server = StreamServer(('127.0.0.1', 0), lambda peer, _: _answer(peer, data))
        server.start()
        servers.append(server)
        return f'127.0.0.1:{server.server_port}'

    yield answers
    for server in servers:
        server.stop(timeout=0)


def _answer(peer, data):
    if data is None:
        peer.recv(1024), peer.recv(1024)
    else:
        peer.sendall(data)


COMMANDS = {
    'instance': ('instance', '--loglevel=warning'),
    'discover': ('discover',),
    'request': ('request', 'echo.version_asked_for'),
}


@pytest.mark.parametrize(
    ('command', 'answer', 'said'),
    [
        *(
            (each, 'nobody', r'127.0.0.1:\d+ within 1 s \(.*refused\); start it')
            for each in COMMANDS
        ),
        ('instance', 'no name', r'host.invalid:2181 within 1 s \('),
        ('discover', None, r'.* does not serve as a ZooKeeper\); start it'),
        ('instance', b'HTTP/1.1 400 Bad\r\n\r\n' * 9, r'.* does not serve as a ZooKeeper\)'),
        ('request', b'', r'.* does not serve as a ZooKeeper\)'),
    ],
)
def test_unreachable_registry_is_one_line(shell, answers, command, answer, said):
    if answer == 'nobody':
        hosts = f'127.0.0.1:{free_port()}'
    else:
        hosts = 'host.invalid:2181' if answer == 'no name' else answers(answer)
    shell.configure(hosts=hosts, connect_timeout=1)
    done = in_thread(shell.run, *COMMANDS[command])
    assert re.fullmatch(f'lymph: no answer from ZooKeeper at {said}.*\n', done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (1, '')


@pytest.mark.parametrize(
    ('command', 'prefix', 'zkclient', 'said'),
    [
        ('instance', '/not/there', {}, "'/not/there', the prefix in the hosts .*; create it"),
        ('instance', '', {'auth_data': [['bogus', 'secret']]}, "cannot register 'echo' .*: Auth"),
        ('discover', '', {'auth_data': [['bogus', 'secret']]}, 'cannot discover rpc: AuthFailed'),
    ],
)
def test_error_of_the_registry_is_one_line(
    shell, zookeeper_server, command, prefix, zkclient, said
):
    shell.configure(hosts=f'{zookeeper_server.hosts}{prefix}', advertise='10.0.0.1', **zkclient)
    done = shell.run(*COMMANDS[command])
    assert re.fullmatch(f'lymph: {said}.*\n', done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (1, '')
    assert 'secret' not in done.stderr


def test_restarted_instance_is_listed_once_after_a_kill(shell, zookeeper_server):
    shell.configure(hosts=zookeeper_server.hosts, timeout=60)
    port = str(free_port())
    first = shell.start_instance('--port', port)
    before = json_of(shell.run('discover', '--json'))
    first.end()  # with SIGKILL
    second = shell.start_instance('--port', port)
    after = json_of(shell.run('discover', '--json'))
    assert {name: len(found) for name, found in after.items()} == {'echo': 2, 'site': 1}
    assert {each['pid'] for found in after.values() for each in found} == {second.pid}
    assert {
        each['endpoint'] for found in (*before.values(), *after.values()) for each in found
    } == {f'tcp://127.0.0.1:{port}'}


# TLS


@pytest.fixture(scope='session')
def make_keys(tmp_path_factory):
    """Make a key of a server with a certificate that it signed itself: its store, the latter."""
    keytool = shutil.which('keytool')
    assert keytool, 'expected keytool, a part of Java: apt-get install default-jre-headless'

    def make_keys():
        folder = tmp_path_factory.mktemp('keys')
        store, certificate = folder / 'server.p12', folder / 'server.pem'
        common = ['-alias', 'server', '-keystore', store, '-storepass', 'not-secret']
        names = ['-dname', 'CN=127.0.0.1', '-ext', 'san=ip:127.0.0.1', '-validity', '2']
        for command in (
            ['-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', *names],
            ['-exportcert', '-rfc', '-file', certificate],
        ):
            subprocess.run([keytool, *command, *common], check=True, capture_output=True)
        return store, certificate

    return make_keys


@pytest.fixture(scope='session')
def tls(make_keys, tmp_path_factory):
    """Yield the address of a server that speaks TLS, and the certificate to trust."""
    store, certificate = make_keys()
    port = free_port()
    settings = {
        'serverCnxnFactory': 'org.apache.zookeeper.server.NettyServerCnxnFactory',
        'secureClientPort': port,
        'secureClientPortAddress': '127.0.0.1',
        'ssl.keyStore.location': store,
        'ssl.keyStore.password': 'not-secret',
        'ssl.keyStore.type': 'PKCS12',
        'ssl.clientAuth': 'none',
    }
    with ZookeeperServer(tmp_path_factory.mktemp('tls'), settings=settings):
        yield f'127.0.0.1:{port}', certificate


def test_instances_are_registered_and_found_over_tls(shell, tls):
    hosts, certificate = tls
    shell.configure(
        hosts=hosts, use_ssl=True, ca=str(certificate), verify_certs=True, check_hostname=True
    )
    instance = shell.start_instance()
    assert json_of(shell.run('discover', 'echo', '--json'))['echo'][0]['pid'] == instance.pid
    assert json_of(shell.run('request', 'echo.version_asked_for@2', '--json')) == '2.0.0'


def test_server_with_an_untrusted_certificate_is_not_used(shell, tls, make_keys):
    hosts, _ = tls
    _, other = make_keys()
    shell.configure(hosts=hosts, use_ssl=True, ca=str(other), verify_certs=True, connect_timeout=6)
    done = shell.run('discover')
    assert 'over TLS as configured' in failure_of(done)
    assert 'CERTIFICATE_VERIFY_FAILED' in done.stderr


# What an operator asks.


def test_doctor_finds_loopback_addresses_and_unreachable_servers(shell, zookeeper_server):
    away = f'127.0.0.1:{free_port()}'
    shell.configure(hosts=[zookeeper_server.hosts, away])
    shell.start_instance()
    done = shell.run('doctor', 'addresses', 'registry', 'versions', 'zookeeper', '--json')
    found = {each['check']: each for each in json.loads(done.stdout)['findings']}
    assert (done.returncode, set(found)) == (1, {'addresses', 'versions', 'zookeeper'})
    assert 'tcp://127.0.0.1:' in found['addresses']['found']
    assert 'http://127.0.0.1:' in found['addresses']['found']
    assert 'container.advertise' in found['addresses']['advice']
    assert found['zookeeper']['found'].startswith(f'1, for {away} does not answer')
    assert 'echo@1' in found['versions']['advice']
    done = shell.run('why', 'echo')
    assert done.returncode == 0
    first, asked, *_ = done.stdout.splitlines()
    assert first == (
        'a call to echo reaches 1 of 2 instances; passed over: older major version (1)'
    )
    assert f'below {shell.chroot}' in asked
    assert 'a loopback address, which no other machine reaches' in done.stdout


def test_doctor_reports_an_unreachable_registry_once(shell):
    shell.configure(hosts=f'127.0.0.1:{free_port()}', connect_timeout=1)
    done = shell.run('doctor', '--timeout=10')
    assert done.returncode == 1
    first, second, *_ = done.stdout.splitlines()
    assert re.fullmatch(
        r'registry: expected a registry that answers, found no answer from ZooKeeper at '
        r'127.0.0.1:\d+ within 1 s \(.*refused\); start it, or correct .*zkclient',
        first,
    )
    assert second == '1 fault found'
