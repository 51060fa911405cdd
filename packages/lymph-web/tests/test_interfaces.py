"""HTTP interfaces in a running container, tested over real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
import lymph.web
from lymph.config import Configuration, ConfigurationError
from lymph.core import trace
from lymph.core.addresses import Address
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.base import HTTP, RPC
from lymph.discovery.static import StaticServiceRegistry, StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.testing.waiting import eventually
from lymph.web.interfaces import WebServiceInterface

WAIT = 10.0


class Backend(lymph.Interface):
    @lymph.rpc()
    def trace(self):
        return trace.get_id()

    @lymph.rpc()
    def hang(self):
        gevent.sleep(WAIT)


class Hello(WebServiceInterface):
    url_map = Map(
        [
            Rule('/hello/<string:name>/', endpoint='hello'),
            Rule('/echo', endpoint='echo', methods=['POST']),
            Rule('/slow', endpoint='slow'),
            Rule('/call/<service>/<method>', endpoint='call'),
            Rule('/fail', endpoint='fail'),
            Rule('/raise', endpoint='raising'),
        ]
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.well = True
        self.error: BaseException = ValueError()
        self.entered, self.go_on = Event(), Event()

    def is_healthy(self):
        return self.well

    @lymph.rpc()
    def port(self):
        return self.http_port

    def hello(self, request, name):
        return Response(f'hello {name}!')

    def echo(self, request):
        return Response(request.get_data())

    def slow(self, request):
        self.entered.set()
        self.go_on.wait(WAIT)
        return Response('done')

    def call(self, request, service, method):
        return Response(self.request(service, f'{service}.{method}', timeout=0.2))

    def fail(self, request):
        raise ValueError('secret')

    def raising(self, request):
        raise self.error


class Remembering(Hello):
    greeted: ContextVar[str] = ContextVar('greeted', default='nobody')

    def hello(self, request, name):
        before = self.greeted.get()
        self.greeted.set(name)
        return Response(before)


class Answer:
    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        self.status = int(lines[0].split()[1])
        self.headers = dict(line.lower().split(': ', 1) for line in lines[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int | None, path: str, *fields: str, method: str = 'GET', body: bytes = b''
) -> Answer:
    assert port is not None
    with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as sock:
        lines = [f'{method} {path} HTTP/1.1', 'Host: test', 'Connection: close', *fields, '', '']
        sock.sendall('\r\n'.join(lines).encode() + body)
        with sock.makefile('rb') as file:
            return Answer(file.read())


def is_open(port: int) -> bool:
    try:
        ask(port, '/_health/')
    except ConnectionError:
        return False
    return True


class Running:
    """A running container with its interfaces."""

    def __init__(
        self,
        *interfaces: type[lymph.Interface],
        config: Any = None,
        settings: Any = None,
        registry: Any = None,
    ) -> None:
        self.hub = StaticServiceRegistryHub()
        self.container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            registry or self.hub.create_registry(),
            LocalEventSystem(),
            ContainerSettings(drain_timeout=WAIT, **(settings or {})),
        )
        self.interfaces = [
            self.container.install_interface(cls, cls.__name__.lower(), None, config)
            for cls in interfaces
        ]
        self.container.start()

    @property
    def web(self) -> Any:
        return self.interfaces[0]


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    started = []

    def start(*interfaces: type[lymph.Interface], **options: Any) -> Running:
        started.append(Running(*interfaces, **options))
        return started[-1]

    yield start
    for running in started:
        for interface in running.interfaces:
            if isinstance(interface, Hello):
                interface.go_on.set()
        running.container.stop()


def test_example_of_the_manual_serves_its_page(run):
    web = run(Hello).web
    answer = ask(web.http_port, '/hello/you/')
    assert (answer.status, answer.body) == (200, b'hello you!')


def test_interface_is_registered_for_calls_and_for_http_with_its_port(run):
    running = run(Hello)
    registry = running.container.registry
    for namespace in (RPC, HTTP):
        (instance,) = registry.get('hello', namespace)
        assert instance.http_port == running.web.http_port
    assert running.container.request('hello', 'hello.port') == running.web.http_port


@pytest.mark.parametrize(
    ('settings', 'config', 'announced'),
    [
        ({}, {}, '127.0.0.1'),
        ({}, {'ip': '127.0.0.2'}, '127.0.0.2'),
        ({'advertise': Address('web.example', 1)}, {}, 'web.example'),
        ({'advertise': Address('web.example', 1)}, {'ip': '127.0.0.2'}, '127.0.0.2'),
        ({'advertise': Address('2001:db8::1', None)}, {'ip': '0.0.0.0'}, '2001:db8::1'),
        ({}, {'ip': '::1'}, '::1'),
        ({}, {'ip': '[::1]'}, '::1'),
    ],
)
def test_http_address_is_announced(run, settings, config, announced):
    running = run(Hello, config=config, settings=settings)
    for namespace in (RPC, HTTP):
        (instance,) = running.container.registry.get('hello', namespace)
        assert instance.ip == announced
    assert instance.http_port == running.web.http_port


def test_wildcard_address_is_announced_as_the_address_of_the_default_route(run, monkeypatch):
    monkeypatch.setattr('lymph.core._hosting.advertising.route_out', lambda family: '10.1.2.3')
    (instance,) = run(Hello, config={'ip': '0.0.0.0'}).container.registry.get('hello', HTTP)
    assert instance.ip == '10.1.2.3'


class FarRegistry(StaticServiceRegistry):
    """A registry that other machines can read."""

    beyond_host = True


def test_error_for_a_missing_route_names_the_key_to_set(monkeypatch):
    monkeypatch.setattr('lymph.core._hosting.advertising.route_out', lambda family: None)
    with pytest.raises(
        ConfigurationError, match=r'^interfaces\.hello\.ip: 0\.0\.0\.0 is listened at'
    ):
        Running(Hello, config={'ip': '0.0.0.0'}, registry=FarRegistry())


def test_loopback_address_announced_to_other_machines_is_a_warning(monkeypatch, caplog):
    settings = {'advertise': Address('10.1.2.3', None)}
    running = Running(Hello, config={'ip': '127.0.0.2'}, settings=settings, registry=FarRegistry())
    port = running.web.http_port
    running.container.stop()
    assert f'announced as http://127.0.0.2:{port}, where no other machine reaches it' in caplog.text
    assert 'set interfaces.hello.ip' in caplog.text


def test_port_can_be_configured(run):
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    assert run(Hello, config=Configuration({'port': port})).web.http_port == port


def test_port_in_use_is_an_error_that_names_it():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            Running(Hello, config={'port': port})
    assert str(caught.value).startswith(
        f'interfaces.hello.port: cannot listen at port {port} of 127.0.0.1 (Address already in use)'
    )


def test_address_of_another_machine_is_an_error_that_names_it():
    with pytest.raises(ConfigurationError) as caught:
        Running(Hello, config={'ip': '203.0.113.1'})
    assert str(caught.value).startswith('interfaces.hello.ip: cannot listen at 203.0.113.1 (')


def test_health_check_that_always_fails_does_not_fill_the_log(run, caplog):
    web = run(Hello).web

    def fails():
        raise SystemExit(1)

    web.is_healthy = fails
    for _ in range(50):
        assert ask(web.http_port, '/_health/').status == 503
    assert 0 < caplog.text.count('the health check failed') < 50


@pytest.mark.parametrize('host', ['web_1', 'example.com.', '[::1]:8080', '10.0.0.1:80'])
def test_any_valid_host_header_is_served(run, host):
    port = run(Hello).web.http_port
    with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as sock:
        sock.sendall(
            f'GET /hello/a/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n'.encode()
        )
        assert sock.makefile('rb').read().endswith(b'hello a!')


def test_error_for_a_port_in_use_names_its_place_in_the_file(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / 'web.yml'
        path.write_text(f'interfaces:\n  web:\n    port: {port}\n')
        config = Configuration()
        config.load_file(str(path))
        with pytest.raises(ConfigurationError, match=r'web\.yml:3: interfaces\.web\.port: '):
            Running(Hello, config=config.view('interfaces.web'))


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (
            {'port': 65536},
            r'port: expected a whole number from 0 to 65535, found the number 65536$',
        ),
        ({'port': 'http'}, 'port: expected a whole number'),
        ({'ip': ''}, "ip: expected an IP address or a host name, found ''"),
        ({'ip': '10.0.0.256'}, 'ip: expected an IP address or a host name'),
        ({'healthcheck': {'endpoint': 'up'}}, 'healthcheck.endpoint: expected a path'),
        (
            {'max_body_size': 0},
            'max_body_size: expected a whole number from 1 to [0-9]+, found the number 0$',
        ),
    ],
)
def test_invalid_configuration_is_an_error_that_names_the_key(config, message):
    with pytest.raises(ConfigurationError, match=rf'^interfaces\.hello\.{message}'):
        Running(Hello, config=config)


def test_rule_without_a_method_is_an_error_at_the_start():
    class Misspelt(Hello):
        url_map = Map([Rule('/', endpoint='helo')])

    with pytest.raises(ConfigurationError, match=r"a method 'helo'.*did you mean 'hello'\?"):
        Running(Misspelt)


def test_failed_start_leaves_no_port_open():
    class Late(lymph.Interface):
        def on_start(self):
            raise ValueError('no')

    servers = []

    class First(Hello):
        def on_start(self):
            super().on_start()
            servers.append(self.http_port)

    with pytest.raises(ValueError, match='no'):
        Running(First, Late)
    with pytest.raises(ConnectionRefusedError):
        ask(servers[0], '/')


def test_limits_are_read_from_the_configuration(run):
    web = run(Hello, config={'max_body_size': 10, 'max_header_size': 500}).web
    body = b'a' * 11
    answer = ask(web.http_port, '/echo', 'Content-Length: 11', method='POST', body=body)
    assert (answer.status, answer.json['error']) == (413, 'Request Entity Too Large')
    chunks = b'b\r\n' + body + b'\r\n0\r\n\r\n'
    answer = ask(web.http_port, '/echo', 'Transfer-Encoding: chunked', method='POST', body=chunks)
    assert answer.json['status'] == 413
    assert ask(web.http_port, '/', f'X-Long: {"x" * 500}').status == 431


def test_health_endpoint_reflects_the_interface_and_the_drain(run):
    running = run(Hello)
    port = running.web.http_port
    assert ask(port, '/_health/').status == 200
    running.web.well = False
    assert ask(port, '/_health/').json == {'status': 'unhealthy'}
    running.web.well = True
    running.container.draining = True
    assert ask(port, '/_health/').status == 503
    running.container.draining = False


def test_health_endpoint_can_be_moved_and_disabled(run):
    moved = run(Hello, config={'healthcheck': {'endpoint': '/up'}}).web
    assert ask(moved.http_port, '/up').status == 200
    off = run(Hello, config={'healthcheck': {'enabled': False}}).web
    assert ask(off.http_port, '/_health/').status == 404


def test_trace_id_is_passed_to_called_services(run):
    running = run(Hello, Backend)
    answer = ask(running.web.http_port, '/call/backend/trace', 'X-Trace-Id: abc-1')
    assert (answer.body, answer.headers['x-trace-id']) == (b'abc-1', 'abc-1')


def test_requests_on_one_connection_do_not_share_a_trace_id(run):
    running = run(Hello, Backend)
    with socket.create_connection(('127.0.0.1', running.web.http_port), timeout=WAIT) as sock:
        sock.sendall(b'GET /call/backend/trace HTTP/1.1\r\nHost: a\r\n\r\n' * 2)
        data = b''
        while data.count(b'X-Trace-Id') < 2:
            data += sock.recv(65536)
    ids = {line for line in data.split(b'\r\n') if line.startswith(b'X-Trace-Id')}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ('path', 'status', 'retry_after'),
    [
        ('/call/nobody/trace', 503, '5'),
        ('/call/backend/nothing', 503, None),
        ('/call/backend/hang', 504, None),
    ],
)
def test_status_of_a_failed_call_depends_on_its_error(run, path, status, retry_after):
    answer = ask(run(Hello, Backend).web.http_port, path)
    assert (answer.json['status'], answer.headers.get('retry-after')) == (status, retry_after)
    assert 'backend' not in answer.json['detail']


def test_client_of_an_overloaded_service_is_told_when_to_come_back(run):
    running = run(Hello, Backend, settings={'pool_size': 1})
    holding = running.web.proxy('backend').hang.defer()
    eventually(lambda: running.container.status()['handlers']['running'] == 1)
    answer = ask(running.web.http_port, '/call/backend/trace')
    assert (answer.status, answer.headers['retry-after']) == (503, '1')
    assert not holding.ready()


def test_error_is_hidden_from_the_client_and_passed_to_the_error_hook(run):
    running = run(Hello)
    seen = []
    running.container.error_hook.install(lambda error, **details: seen.append(error))
    answer = ask(running.web.http_port, '/fail')
    assert answer.status == 500
    assert b'secret' not in answer.body
    assert [str(error) for error in seen] == ['secret']


@pytest.mark.parametrize('error', [SystemExit(0), KeyboardInterrupt(), asyncio.CancelledError()])
def test_handler_that_raises_a_base_exception_ends_only_its_request(run, error):
    running = run(Hello)
    seen = []
    running.container.error_hook.install(lambda error, **details: seen.append(error))
    running.web.error = error
    answer = ask(running.web.http_port, '/raise', 'X-Trace-Id: abc-1')
    assert (answer.status, answer.json['trace_id']) == (500, 'abc-1')
    assert ask(running.web.http_port, '/hello/you/').body == b'hello you!'
    assert seen == [error]


def test_error_of_a_wsgi_application_is_passed_to_the_error_hook(run):
    running = run(Hello)
    seen = []
    running.container.error_hook.install(lambda error, **details: seen.append(error))

    def application(environ, start_response):
        start_response('200 OK', [('X', 'a\r\nb: c')])

    running.web.application = application
    answer = ask(running.web.http_port, '/', 'X-Trace-Id: abc-1')
    assert (answer.status, answer.json['trace_id']) == (500, 'abc-1')
    assert len(seen) == 1


def test_debug_mode_answers_with_the_traceback(run):
    answer = ask(run(Hello, config={'debug': True}).web.http_port, '/fail', 'Accept: text/html')
    assert b'ValueError: secret' in answer.body


def test_replaced_application_is_served(run):
    running = run(Hello)
    inner = running.web.application

    def outer(environ, start_response):
        environ['PATH_INFO'] = '/hello/middleware/'
        return inner(environ, start_response)

    running.web.application = outer
    assert ask(running.web.http_port, '/').body == b'hello middleware!'


def test_context_variables_end_with_their_request(run):
    running = run(Remembering)
    port = running.web.http_port
    assert [ask(port, f'/hello/{name}/').body for name in ('you', 'them')] == [b'nobody'] * 2


def test_context_variables_end_with_their_request_behind_a_middleware(run):
    running = run(Remembering)
    inner = running.web.application

    def outer(environ, start_response):
        inner(dict(environ), lambda status, fields, exc_info=None: bool)
        return inner(environ, start_response)

    running.web.application = outer
    assert ask(running.web.http_port, '/hello/you/').body == b'nobody'


def test_drain_waits_for_answers_in_progress(run):
    running = run(Hello)
    port = running.web.http_port
    asking = gevent.spawn(ask, port, '/slow')
    running.web.entered.wait(WAIT)
    draining = gevent.spawn(running.container.drain)
    eventually(lambda: not is_open(port), WAIT)
    running.web.go_on.set()
    assert asking.get(timeout=WAIT).body == b'done'
    draining.get(timeout=WAIT)


def test_request_is_freed_when_it_is_answered_without_a_garbage_collection(run):
    class Noting(Hello):
        def hello(self, request, name):
            noted.append(weakref.ref(request))
            return super().hello(request, name)

    noted: list[weakref.ref[Any]] = []
    running = run(Noting)
    gc.disable()
    try:
        assert ask(running.web.http_port, '/hello/you/').body == b'hello you!'
        eventually(lambda: noted[0]() is None, WAIT)
    finally:
        gc.enable()


def test_both_names_of_the_base_class_are_the_same_class():

    assert lymph.web.WebServiceInterface is WebServiceInterface
