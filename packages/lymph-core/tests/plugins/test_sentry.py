"""Errors to Sentry: what an event has and what it has not, bounds, and the section."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
import zlib

import pytest
import sentry_sdk
from gevent.event import Event

import lymph
from lymph.config import ConfigurationError
from lymph.core.assembly import build_container
from lymph.plugins._sentry import reporting
from lymph.plugins.sentry import Sentry
from lymph.testing.contracts.sections import NUMBERS, TEXTS, check_refused, check_taken_or_refused
from lymph.testing.waiting import eventually

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'


#: reports an error, then blocks the loop
BUSY = """
import lymph.monkey
lymph.monkey.patch()
import sys
import time
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.plugins.sentry import Sentry

container = ServiceContainer(MemoryTransport(), StaticServiceRegistry(), NullEventSystem(),
                             ContainerSettings(block_threshold=0, drain_timeout=0))
container.install_plugin(Sentry, {'dsn': sys.argv[1], 'flush_timeout': 10.0})
container.start()
for number in range(3):
    try:
        raise ValueError(f'error {number}')
    except ValueError as error:
        container.error_hook(error, method='busy.work', trace_id=None)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
container.stop()
"""


class Server:
    """Keeps the events that it gets, as a relay of Sentry would."""

    def __init__(self):
        self.events = []
        self.keys = set()
        self.gate = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                with server.gate:
                    body = self.rfile.read(int(self.headers['Content-Length']))
                if self.headers.get('Content-Encoding') == 'gzip':
                    body = zlib.decompress(body, zlib.MAX_WBITS | 16)
                for line in body.splitlines():
                    item = json.loads(line)
                    if 'exception' in item or 'message' in item:
                        server.events.append(item)
                server.keys.add(self.headers['X-Sentry-Auth'].partition('sentry_key=')[2][:3])
                self.send_response(200)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.dsn = f'http://key@127.0.0.1:{self._server.server_port}/5'
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.gate.locked():
            self.gate.release()
        self._server.shutdown()
        self._server.server_close()


class Stock(lymph.Interface):
    def on_start(self):
        self.failed = Event()

    @lymph.rpc(raises=(KeyError,))
    def take(self, article=None):
        secret_variable = article
        if article == 'missing':
            raise KeyError(secret_variable)
        raise ValueError('broken')

    @lymph.event('stock.taken')
    def on_taken(self, event):
        self.failed.set()
        raise lymph.EventRejected('no')

    @lymph.rpc()
    def spawn_failing(self):
        self.spawn(self.background)

    def background(self):
        raise ArithmeticError

    @lymph.rpc()
    def say(self):
        sentry_sdk.capture_message('by the handler')


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def stock(world, server):
    """Return a function that runs a service that reports its errors."""

    def start(**section):
        container = world.container((Stock, 'stock', '1.2.3'), start=False)
        container.install_plugin(Sentry, {'dsn': server.dsn, **section})
        container.start()
        return container

    return start


def failing(container, *args, **options):
    with pytest.raises(lymph.exceptions.RpcError):
        container.request('stock', *args, **options)


def counts(container):
    return {name: value for name, value, _ in container.metrics if name.startswith('sentry.')}


def test_error_of_a_method_is_reported_with_its_facts(stock, server):
    container = stock(environment='staging')
    failing(container, 'stock.take', {'article': 'payload'}, trace_id=TRACE)
    eventually(lambda: server.events)
    [event] = server.events
    [value] = event['exception']['values']
    assert (value['type'], value['value']) == ('ValueError', 'broken')
    assert value['mechanism'] == {'type': 'lymph', 'handled': False}
    assert value['stacktrace']['frames'][-1]['function'] == 'take'
    assert event['tags'] == {
        'instance': container.identity,
        'interface': 'stock',
        'method': 'stock.take',
        'trace_id': TRACE,
        'version': '1.2.3',
    }
    assert event['transaction'] == 'stock.take'
    assert event['environment'] == 'staging'
    assert event['release'] == 'stock@1.2.3'
    assert server.keys == {'key'}


def test_arguments_and_variables_are_not_reported(stock, server):
    failing(stock(), 'stock.take', {'article': 'secret-payload'})
    eventually(lambda: server.events)
    assert 'secret-payload' not in json.dumps(server.events)
    frames = server.events[0]['exception']['values'][0]['stacktrace']['frames']
    assert not any('vars' in frame for frame in frames)


def test_declared_errors_and_mistakes_of_callers_are_not_reported(stock, server):
    container = stock()
    failing(container, 'stock.take', {'article': 'missing'})
    failing(container, 'stock.take', {'unknown': 1})
    failing(container, 'stock.nothing')
    container.stop()
    assert server.events == []


def test_errors_of_handlers_and_greenlets_are_reported(stock, server):
    container = stock()
    container.emit_event('stock.taken', {}, headers={'trace_id': TRACE})
    assert container.interfaces[0].failed.wait(10)
    eventually(lambda: len(server.events) == 1)
    container.request('stock', 'stock.spawn_failing')
    eventually(lambda: len(server.events) == 2)
    handled, spawned = server.events
    assert handled['transaction'] == 'Stock.on_taken'
    assert handled['tags']['interface'] == 'stock'
    assert handled['tags']['trace_id'] == TRACE
    assert handled['contexts']['lymph']['attempt'] == 1
    assert spawned['transaction'] == 'Stock.background'
    assert spawned['tags']['interface'] == 'stock'


def test_programs_may_report_by_themselves(stock, server):
    stock().request('stock', 'stock.say')
    eventually(lambda: server.events)
    assert server.events[0]['message'] == 'by the handler'


def test_stop_sends_what_is_left(stock, server):
    container = stock()
    server.gate.acquire()
    for _ in range(5):
        failing(container, 'stock.take')
    server.gate.release()
    container.stop()
    assert len(server.events) == 5
    assert not sentry_sdk.get_client().is_active()


def test_stop_waits_for_a_bounded_time(stock, server, caplog):
    container = stock(flush_timeout=0.2)
    server.gate.acquire()
    failing(container, 'stock.take')
    started = time.monotonic()
    container.stop()
    assert time.monotonic() - started < 10
    assert 'Sentry did not take all errors' in caplog.text


def test_errors_are_sent_while_the_loop_is_blocked(server):
    program = subprocess.Popen([sys.executable, '-c', BUSY, server.dsn, '60'])
    try:
        eventually(lambda: len(server.events) == 3, timeout=20)
        assert program.poll() is None
    finally:
        program.kill()
        program.wait()


def test_stop_of_a_patched_process_sends_what_is_left(server):
    program = subprocess.Popen([sys.executable, '-c', BUSY, server.dsn, '0'])
    try:
        assert program.wait(20) == 0
    finally:
        program.kill()
        program.wait()
    assert len(server.events) == 3


def test_many_errors_are_not_all_reported(stock, server, monkeypatch):
    monkeypatch.setattr(reporting, '_RATE', 0.0)
    container = stock()
    for _ in range(30):
        failing(container, 'stock.take')
    eventually(lambda: counts(container) == {'sentry.sent': 20, 'sentry.dropped': 10})
    assert len(server.events) == 20


def test_variables_of_the_sdk_hold_where_the_section_is_silent(stock, server, monkeypatch):
    monkeypatch.setenv('SENTRY_RELEASE', 'by-variable')
    monkeypatch.setenv('SENTRY_ENVIRONMENT', 'staging')
    failing(stock(), 'stock.take')
    eventually(lambda: server.events)
    assert server.events[0]['release'] == 'by-variable'
    assert server.events[0]['environment'] == 'staging'


def test_sample_rate_is_that_of_the_section(stock, server):
    container = stock(sample_rate=0.0)
    failing(container, 'stock.take')
    container.stop()
    assert server.events == []


@pytest.mark.parametrize(
    ('key', 'values'),
    [
        ('dsn', TEXTS),
        ('environment', TEXTS),
        ('release', TEXTS),
        ('server_name', TEXTS),
        ('sample_rate', (*NUMBERS, '1.5')),
        ('flush_timeout', (*NUMBERS, '61')),
        ('dns', ('x',)),
    ],
)
def test_invalid_values_are_refused_with_their_place(key, values):
    base = {
        'container': {'registry': {'class': 'static'}, 'events': {'class': 'null'}},
        'plugins': {'errors': {'class': 'sentry', 'dsn': 'http://key@127.0.0.1/5'}},
    }
    key = f'plugins.errors.{key}'
    check_refused(key, values, build_container, base)
    check_taken_or_refused(key, build_container, base)


def test_section_without_a_dsn_is_an_error(world, monkeypatch):
    monkeypatch.delenv('SENTRY_DSN', raising=False)
    with pytest.raises(ConfigurationError, match='expected the DSN'):
        world.container().install_plugin(Sentry)


@pytest.mark.parametrize('by', ['section', 'variable'])
def test_malformed_dsn_is_an_error_that_does_not_quote_it(world, monkeypatch, by):
    section = {'dsn': 'not-a-dsn-but-secret'} if by == 'section' else {}
    monkeypatch.setenv('SENTRY_DSN', 'not-a-dsn-but-secret')
    with pytest.raises(ConfigurationError, match='expected a DSN such as') as caught:
        world.container().install_plugin(Sentry, section)
    assert 'secret' not in str(caught.value)
    assert str(caught.value).startswith(
        'plugins.sentry.dsn: ' if by == 'section' else 'SENTRY_DSN: '
    )
