"""Servers that share a listening socket passed to them."""

from __future__ import annotations

import os
import socket as stdlib_socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from lymph.config import ConfigurationError
from lymph.core._system import inherited
from lymph.core.container import ServiceContainer
from lymph.discovery.base import HTTP
from lymph.testing.waiting import eventually
from lymph.web._serving.listening import ListeningSocket
from lymph.web._serving.server import WebServer
from lymph.web.interfaces import WebServiceInterface

WAIT = 10.0  # longer than anything here takes
_DESCRIPTOR = 710  # which nothing else in a test run has


class Named:
    """An application that answers with its name and counts its answers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.answered += 1
        return Response(self.name)(environ, start_response)


@pytest.fixture
def shared() -> Iterator[stdlib_socket.socket]:
    with stdlib_socket.create_server(('127.0.0.1', 0), backlog=100) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def serve(shared: stdlib_socket.socket) -> Iterator[Callable[[Named], WebServer]]:
    started: list[WebServer] = []

    def start(application: Named) -> WebServer:
        started.append(WebServer(ListeningSocket(shared.dup(), shared=True), application))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.finish(0)


def test_servers_share_waiting_connections(serve, connect, shared):
    address = shared.getsockname()
    waiting = [socket.create_connection(address, timeout=WAIT) for _ in range(20)]
    one, other = Named('one'), Named('other')
    for server in (one, other):
        serve(server)
    for sock in waiting:
        sock.sendall(b'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
    for sock in waiting:
        with sock, sock.makefile('rb') as file:
            assert file.read().startswith(b'HTTP/1.1 200')
    assert one.answered + other.answered == 20
    assert min(one.answered, other.answered) >= 5


def test_connections_not_accepted_by_one_server_are_served_by_the_next(serve, connect):
    first = serve(Named('one'))
    client = connect(first)
    client.get()
    assert client.answer().body == b'one'
    assert first.finish(WAIT) == 0
    assert client.at_end()
    late = connect(first)
    late.get()
    serve(Named('other'))
    assert late.answer().body == b'other'


def test_new_connection_is_served_until_the_end_of_its_first_request(serve, connect):
    server = serve(Named('one'))
    fresh, used = connect(server), connect(server)
    used.get()
    used.answer()
    eventually(lambda: len(server.links) == 2, WAIT)
    finishing = gevent.spawn(server.finish, WAIT)
    assert used.at_end()
    assert not finishing.ready()
    fresh.get()
    answer = fresh.answer()
    assert (answer.body, answer.closes) == (b'one', True)
    assert finishing.get(timeout=WAIT) == 0


def test_connection_without_a_request_does_not_delay_the_shutdown(serve, connect, monkeypatch):
    monkeypatch.setattr('lymph.web._serving.server._FIRST_REQUEST', 0.1)
    server = serve(Named('one'))
    silent = connect(server)
    eventually(lambda: len(server.links) == 1, WAIT)
    finishing = gevent.spawn(server.finish, 3600)
    assert silent.at_end()
    assert finishing.get(timeout=WAIT) == 0


class Hello(WebServiceInterface):
    url_map = Map([Rule('/', endpoint='index')])

    def index(self, request):
        return Response('hello')


@pytest.fixture
def container(new_container: Callable[[], ServiceContainer]) -> Callable[..., ServiceContainer]:
    def make(**config: Any) -> ServiceContainer:
        container = new_container()
        container.install_interface(Hello, 'hello', None, config)
        return container

    return make


@pytest.fixture
def port(shared: stdlib_socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Return the port of a listening socket that was passed to this process."""
    os.dup2(shared.fileno(), _DESCRIPTOR)
    monkeypatch.setattr(inherited, 'FIRST_DESCRIPTOR', _DESCRIPTOR)
    monkeypatch.setenv('LISTEN_FDS', '1')
    monkeypatch.setenv('LISTEN_PID', str(os.getpid()))
    monkeypatch.setenv('LISTEN_FDNAMES', 'front')
    yield shared.getsockname()[1]
    os.close(_DESCRIPTOR)


def test_interface_serves_on_the_socket_passed_to_its_process(container, port):
    running = container(port=port)
    with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as sock:
        sock.sendall(b'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
        running.start()
        (instance,) = running.registry.get('hello', HTTP)
        assert (instance.ip, instance.http_port) == ('127.0.0.1', port)
        with sock.makefile('rb') as file:
            assert file.read().endswith(b'hello')
    running.stop()
    again = container(port=port)  # after a reload, for one
    again.start()


def test_socket_at_another_host_than_configured_is_an_error_that_names_both(container, port):
    with pytest.raises(ConfigurationError) as caught:
        container(port=port, ip='0.0.0.0').start()
    assert str(caught.value) == (
        f'interfaces.hello.ip: cannot listen at port {port} of 0.0.0.0 (the socket for it '
        f'that this process was started with is at 127.0.0.1:{port}); set interfaces.hello.ip to '
        'the host of that socket, or bind the socket to 0.0.0.0'
    )


def test_error_for_a_port_in_use_names_sockets_passed_to_another_process(
    container, port, monkeypatch
):
    monkeypatch.setenv('LISTEN_PID', '1')
    with pytest.raises(ConfigurationError, match=r'in use\); the sockets in LISTEN_FDS are for'):
        container(port=port).start()
