"""A server on a free port, and clients that send and receive raw bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent import socket

from lymph.web._answering.faults import ErrorAnswers
from lymph.web._http.limits import Limits
from lymph.web._http.server import WebServer

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
        if method == 'HEAD':
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
        server = WebServer(('127.0.0.1', 0), application, Limits(**limits), draining, faults)
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
