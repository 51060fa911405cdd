"""A client that sends without pause does not starve other users of the loop."""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import suppress
from typing import Any

import gevent
import pytest
from werkzeug.wrappers import Request

from lymph.core.container import ServiceContainer
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web._http.limits import Limits
from lymph.web._serving.listening import listen_at_port
from lymph.web._serving.server import WebServer
from lymph.web.interfaces import WebServiceInterface

MOST = 128 * 1024  # bytes to read and to write between two turns of the loop
MOST_CALLS = 1000
PLENTY = 1024 * 1024  # bytes of a client, and of the answers to it

POST = b'POST / HTTP/1.1\r\nHost: a\r\n'
PUT = b'PUT / HTTP/1.1\r\nHost: a\r\n'  # whose body nobody reads
CHUNKED = POST + b'Transfer-Encoding: chunked\r\n\r\n'


class Hose:
    """A socket that is always ready; records the maximum moved between two turns of the loop."""

    family = socket.AF_INET

    def __init__(self, first: bytes, then: bytes, size: int, plenty: int) -> None:
        self._ready = bytearray(first)
        self._then = then * (65536 // len(then))
        self._size = size  # the most that arrives at once
        self._left = plenty
        self.moved = self.calls = self.most = self.most_calls = 0
        # for the loop to watch: it is always readable and writable
        self._watched, self._other = socket.socketpair()
        self._other.send(b'x')

    def fileno(self) -> int:
        return self._watched.fileno()

    def recv(self, size: int) -> bytes:
        while self._left > 0 and len(self._ready) < size:
            self._ready += self._then
        data = bytes(self._ready[: min(size, self._size)])
        del self._ready[: len(data)]
        self._count(len(data))
        return data if self._left > 0 else b''

    def send(self, data: bytes) -> int:
        self._count(len(data))
        return len(data)

    def turn(self) -> None:
        """Start a new turn of the loop."""
        self.moved = self.calls = 0

    def _count(self, size: int) -> None:
        self._left -= size
        self.moved += size
        self.calls += 1
        self.most = max(self.most, self.moved)
        self.most_calls = max(self.most_calls, self.calls)

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None:
        self._watched.close()
        self._other.close()


def pages(environ: Any, start_response: Any) -> Any:
    request = Request(environ)
    if request.method == 'POST':
        request.get_data()
    start_response('200 OK', [])
    if request.path == '/many':
        return itertools.repeat(b'x', 20_000)
    return [b'x' * 3_000_000] if request.path == '/large' else [b'hello']


FLOODS: dict[str, tuple[bytes, bytes]] = {
    'bytes before a request': (b'', b'\r\n'),
    'requests': (b'', b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    'a large answer': (b'GET /large HTTP/1.1\r\nHost: a\r\n\r\n', b'\r\n'),
    'an answer of many parts': (b'GET /many HTTP/1.1\r\nHost: a\r\n\r\n', b'\r\n'),
    'header fields': (b'GET / HTTP/1.1\r\n', b'A: b\r\n'),
    'one header field': (b'GET / HTTP/1.1\r\nA: ', b'x'),
    'a body': (POST + b'Content-Length: 8000000\r\n\r\n', b'x'),
    'a body that is too long': (POST + b'Content-Length: 900000000\r\n\r\n', b'x'),
    'a body that nobody reads': (PUT + b'Content-Length: 900000\r\n\r\n', b'x'),
    'chunks': (CHUNKED, b'14\r\n' + b'x' * 20 + b'\r\n'),
    'chunks of one byte': (CHUNKED, b'1\r\nx\r\n'),
    'an extension': (CHUNKED + b'1;', b'x'),
    'extensions': (CHUNKED, b'1;a=b\r\nx\r\n'),
    'one trailer': (CHUNKED + b'0\r\nA: ', b'x'),
    'trailers': (CHUNKED + b'0\r\n', b'A: b\r\n'),
}  # fmt: skip


@pytest.mark.parametrize(('first', 'then'), FLOODS.values(), ids=FLOODS.keys())
@pytest.mark.parametrize(('size', 'plenty'), [(1_000_000, PLENTY), (1, PLENTY // 64)])
def test_loop_keeps_turning_however_much_a_client_sends(first, then, size, plenty):
    hose = Hose(first, then, size, plenty)
    server = WebServer(listen_at_port('127.0.0.1', 0), pages, Limits())
    server.serve(hose, ('127.0.0.1', 1))
    while server.links:
        hose.turn()
        gevent.sleep(1e-6)
    server.finish(0)
    assert hose.most <= MOST
    assert hose.most_calls <= MOST_CALLS


def test_calls_are_answered_while_http_clients_flood_the_server():
    container = ServiceContainer(
        ZmtpTransport(),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(),
    )
    web = container.install_interface(WebServiceInterface, 'web')
    web.application = pages
    container.start()
    floods = [Flood(*FLOODS[name]) for name in ('trailers', 'a body', 'a body that is too long')]
    try:
        for each in floods:
            each.start(web.http_port)
        while any(each.sent < 4 * PLENTY for each in floods):
            assert container.request('web', 'lymph.ping', {'payload': 'a'}, timeout=20) == 'a'
    finally:
        for each in floods:
            each.stop()
        container.stop()


class Flood:
    """Sends data from a thread, reconnecting whenever the server closes the connection."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self.sent = 0
        self._first = first
        self._data = then * (65536 // len(then))
        self._enough = False

    def start(self, port: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(port,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._enough = True
        while self._thread.is_alive():
            gevent.sleep(0.01)  # the server has to go on reading

    def _run(self, port: int) -> None:
        while not self._enough:
            with suppress(OSError), socket.create_connection(('127.0.0.1', port)) as sock:
                sock.settimeout(1)
                sock.sendall(self._first)
                while not self._enough:
                    sock.sendall(self._data)
                    self.sent += len(self._data)
