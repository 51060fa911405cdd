"""A client in another language, written from docs/protocol.md alone, calls a service."""

from __future__ import annotations

import datetime
import decimal
import json
import pathlib
import shutil
import uuid

import pytest
from gevent import subprocess

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem

CLIENT = pathlib.Path(__file__).parents[1] / 'examples' / 'javascript'


class Example(lymph.Interface):
    @lymph.rpc()
    def upper(self, text):
        return text.upper()

    @lymph.rpc()
    def types(self):
        return [
            {1},
            datetime.datetime(2016, 2, 19, 12, 30, tzinfo=datetime.timezone.utc),
            datetime.date(2016, 2, 19),
            uuid.UUID(int=1),
            decimal.Decimal('12.50'),
            None,
        ]

    @lymph.rpc(raises=ValueError)
    def declared(self):
        raise ValueError('said so')

    @lymph.rpc()
    def undeclared(self):
        raise RuntimeError('nobody is told')

    @lymph.raw_rpc()
    def silent(self, channel):
        channel.detach()

    @lymph.raw_rpc()
    def accept(self, channel):
        channel.ack()


@pytest.fixture(scope='module')
def packages():
    for program in ('node', 'npm'):
        assert shutil.which(program), f'{program} is missing; as root: apt-get install nodejs npm'
    if not (CLIENT / 'node_modules' / 'zeromq').is_dir():
        subprocess.run(['npm', 'ci', '--silent'], cwd=CLIENT, check=True, timeout=300)


@pytest.fixture
def call(packages):
    container = ServiceContainer(ZmtpTransport(), StaticServiceRegistry(), NullEventSystem())
    container.install_interface(Example, 'example')
    container.start()

    def call(subject, **arguments):
        return subprocess.run(
            ['node', 'client.js', container.endpoint, subject, json.dumps(arguments)],
            cwd=CLIENT,
            capture_output=True,
            text=True,
            timeout=60,
        )

    yield call
    container.stop()


def test_javascript_client_gets_results(call):
    done = call('example.upper', text='größe')
    assert (done.stdout, done.stderr, done.returncode) == ('"GRÖSSE"\n', '', 0)
    assert json.loads(call('example.accept').stdout) is None


def test_javascript_client_reads_every_type(call):
    assert json.loads(call('example.types').stdout) == [
        [1],
        '2016-02-19T12:30:00.000Z',
        '2016-02-19',
        '00000000-0000-0000-0000-000000000001',
        '12.50',
        None,
    ]


@pytest.mark.parametrize(
    ('subject', 'words', 'executed'),
    [
        ('example.declared', 'said so', 'yes'),
        ('example.undeclared', 'RuntimeError', 'yes'),
        ('example.uper', 'did you mean example.upper?', 'no'),
        ('example.upper', "missing argument 'text'", 'no'),
        ('example.silent', 'no reply from example.silent within 1 s', 'maybe'),
    ],
)
def test_javascript_client_knows_whether_a_failed_call_ran(call, subject, words, executed):
    done = call(subject)
    assert done.returncode == 1
    assert words in done.stderr
    assert f'(executed: {executed})' in done.stderr
