"""A server on a free port, and clients that send and receive raw bytes."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import werkzeug.test
from gevent import socket

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web._answering.faults import ErrorAnswers
from lymph.web._http.limits import Limits
from lymph.web._serving.listening import listen_at_port
from lymph.web._serving.server import WebServer

WAIT = 10.0  # longer than anything here takes


class Client:
    """One connection, over which a test sends and receives raw bytes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=WAIT)
        self.file = self.socket.makefile('rb')

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text.encode('latin-1') if isinstance(text, str) else text)

    def get(self, path: str = '/', *fields: str, method: str = 'GET') -> None:
        lines = [f'{method} {path} HTTP/1.1', 'Host: test', *fields]
        self.send(''.join(f'{line}\r\n' for line in lines) + '\r\n')

    def answer(self, method: str = 'GET') -> Answer:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) not in (b'\r\n', b''):
            name, _, value = line.decode('latin-1').partition(':')
            headers[name.lower()] = value.strip()
        if method == 'HEAD' or status in (204, 304):
            body = b''
        elif headers.get('transfer-encoding') == 'chunked':
            body = b''.join(self._chunks())
        elif 'content-length' in headers:
            body = self.file.read(int(headers['content-length']))
        else:
            body = self.file.read()
        return Answer(status, headers, body)

    def at_end(self) -> bool:
        """Return whether the server has closed the connection without another byte."""
        return self.file.read(1) == b''

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        linger = struct.pack('ii', 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def closes(self) -> bool:
        return self.headers.get('connection') == 'close'


@pytest.fixture
def start_server() -> Iterator[Callable[..., WebServer]]:
    """Return a function that serves a WSGI application; its keywords are limits of the server."""
    servers = []

    def start(
        application: Any,
        draining: Callable[[], bool] = bool,
        faults: ErrorAnswers | None = None,
        **limits: float,
    ) -> WebServer:
        server = WebServer(
            listen_at_port('127.0.0.1', 0), application, Limits(**limits), draining, faults
        )
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.finish(0)


@pytest.fixture
def connect() -> Iterator[Callable[[WebServer], Client]]:
    """Return a function that connects a client to a server."""
    clients = []

    def open(server: WebServer) -> Client:
        clients.append(Client(server.address[1]))
        return clients[-1]

    yield open
    for client in clients:
        client.close()


@pytest.fixture
def new_container() -> Iterator[Callable[[], ServiceContainer]]:
    """Return a function that makes a container, which is alone and not started."""
    made: list[ServiceContainer] = []

    def make() -> ServiceContainer:
        made.append(
            ServiceContainer(
                MemoryTransport(network=MemoryNetwork()),
                StaticServiceRegistryHub().create_registry(),
                LocalEventSystem(),
                ContainerSettings(drain_timeout=WAIT),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.stop()


class Started:
    """An interface of a running container: over a socket, and as WebServiceTestCase asks it."""

    def __init__(self, interface: Any, stop: Callable[[], object]) -> None:
        self.interface = interface
        self.stop = stop
        self.client = werkzeug.test.Client(interface.application)
        self.port = interface.http_port

    def ask(self, path: str, *fields: str, method: str = 'GET') -> Answer:
        """Send one request over a connection of its own."""
        client = Client(self.port)
        try:
            client.get(path, 'Connection: close', *fields, method=method)
            return client.answer(method)
        finally:
            client.close()

    def read(self, path: str, *fields: str) -> bytes:
        """Return all that the server sends for a GET request, also if it is cut off."""
        client = Client(self.port)
        try:
            client.get(path, 'Connection: close', *fields)
            return client.file.read()
        finally:
            client.close()


@pytest.fixture
def start_interface(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Started]]:
    """Return a function that runs a class with the keys of its section, and other interfaces.

    `sections` are more sections of the configuration.
    """
    containers = []

    def named(cls: type) -> str:
        # the folder of the tests has a dash in its name, which no reference can have
        monkeypatch.setitem(sys.modules, 'served_by_a_test', sys.modules[cls.__module__])
        return f'served_by_a_test:{cls.__qualname__}'

    def start(cls: type, keys: Any = None, *others: type, **sections: Any) -> Started:
        container = build_container(
            Configuration(
                {
                    'container': {
                        'registry': {'class': 'static'},
                        'events': {'class': 'null'},
                        'rpc': {'transport': 'memory'},
                    },
                    'interfaces': {
                        'web': {**(keys or {}), 'class': named(cls)},
                        **{other.__name__.lower(): {'class': named(other)} for other in others},
                    },
                    **sections,
                }
            )
        )
        containers.append(container)
        container.start()
        return Started(container.interfaces[0], container.stop)

    yield start
    for container in containers:
        container.stop()
