"""Hostile and careless clients of a real process, which answers calls meanwhile.

Each client is refused within its bound. Calls to the same process are measured: half of them are
answered within 50 ms, whatever else the machine does; and no turn of the loop takes 50 ms of the
processor (without Python's garbage collector), so that lymph never holds up a call for longer.
"""

from __future__ import annotations

import json
import resource
import signal
import socket as stdlib_socket
import ssl
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket

from lymph.client import Client
from lymph.config import Configuration
from lymph.testing.waiting import eventually, let_pass

WAIT = 30.0  # longer than anything here takes
SOON = 0.05  # seconds: what a call may take
LIMIT = 1_000_000  # bytes of a body
IDLE = 10_000  # connections
BURST = 3000  # connections that send a request at the same moment
MOST_EACH = 4_000  # bytes of an idle connection
OVER_TLS = 300  # idle connections
MOST_OVER_TLS = 40_000  # bytes of each
SPARE = 500  # descriptors for everything else in the process of the tests

SHORT = {'max_body_size': LIMIT, 'header_timeout': 0.5, 'body_timeout': 0.8, 'stall_timeout': 0.4}
LONG = {'header_timeout': 600, 'idle_timeout': 600}


class Service:
    """The process, and a client that calls it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.process = process
        self.port, self.endpoint = json.loads(process.stdout.readline())
        config = {'container': {'registry': {'class': 'static'}, 'events': {'class': 'null'}}}
        self.client = Client.from_config(Configuration(config))

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.request(self.endpoint, 'web.facts', {}, timeout=WAIT)
        return found

    @contextmanager
    def answering_calls(self) -> Iterator[None]:
        """Call the process while the block runs; check that calls were answered in time."""
        times: list[float] = []

        def call() -> None:
            while True:
                begun = time.monotonic()
                self.client.request(self.endpoint, 'lymph.ping', {'payload': ''}, timeout=WAIT)
                times.append(time.monotonic() - begun)
                let_pass(0.005, 'other things than calls have to go on, too')

        self.facts()
        calling = gevent.spawn(call)
        try:
            yield
            eventually(lambda: calling.ready() or len(times) >= 20, WAIT)
        finally:
            calling.kill()
        calling.get()
        assert statistics.median(times) < SOON
        assert self.facts()['longest_turn'] < SOON


@contextmanager
def serving(section: dict[str, Any]) -> Iterator[Service]:
    program = Path(__file__).with_name('program.py')
    with subprocess.Popen(
        [sys.executable, str(program), json.dumps(section)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        service = Service(process)
        try:
            yield service
        finally:
            service.client.close()
            process.stdin.close()  # type: ignore[union-attr]  # there is one


@pytest.fixture(scope='module')
def service() -> Iterator[Service]:
    with serving(SHORT) as service:
        yield service


class HttpClient:
    """One client: it sends `first`, then `then` again and again, or ends its side with `half`.

    It reads until the server closes the connection.
    """

    def __init__(
        self, port: int, first: bytes, then: bytes = b'', pause: float = 0, *, half: bool = False
    ) -> None:
        self._port = port
        self._first = first
        self._then = then
        self._pause = pause
        self._half = half
        self.sent = 0
        self.answer = b''

    def run(self) -> None:
        with socket.create_connection(('127.0.0.1', self._port), timeout=WAIT) as sock:
            sender = gevent.spawn(self._send, sock)
            with suppress(ConnectionResetError):
                while data := sock.recv(65536):
                    self.answer += data
            sender.kill()

    @property
    def status(self) -> int:
        """The status of the answer, which ended the connection; 0 if there was none."""
        if not self.answer:
            return 0
        assert b'\r\nConnection: close\r\n' in self.answer, self.answer[:200]
        assert self.answer.count(b'HTTP/1.1 ') == 1
        return int(self.answer.split()[1])

    def _send(self, sock: Any) -> None:
        with suppress(OSError):
            sock.sendall(self._first)
            if self._half:
                sock.shutdown(socket.SHUT_WR)
            while self._then:
                sock.sendall(self._then)
                self.sent += len(self._then)
                let_pass(self._pause, 'a client that is slow, or lets others have a turn')


def attack(service: Service, clients: list[HttpClient]) -> None:
    """Run clients at the same time, while the process answers calls."""
    with service.answering_calls():
        running = [gevent.spawn(client.run) for client in clients]
        gevent.joinall(running, timeout=WAIT, raise_error=True)
        assert all(each.ready() for each in running)
    assert all(client.sent < 20 * LIMIT for client in clients)


POST = b'POST /echo HTTP/1.1\r\nHost: a\r\n'
SIZED = POST + b'Content-Length: 900000\r\n\r\n'
CHUNKED = POST + b'Transfer-Encoding: chunked\r\n\r\n'
SLOW = {
    'a head': (b'GET / HTTP/1.1\r\nHost: a\r\n', b'X: 1\r\n'),
    'a field': (b'GET / HTTP/1.1\r\nHost: a\r\nX: ', b'x'),
    'a body': (SIZED, b'x'),
    'chunks': (CHUNKED, b'1\r\nx\r\n'),
    'an extension': (CHUNKED + b'1;', b'x'),
    'trailers': (CHUNKED + b'0\r\n', b'X: 1\r\n'),
    'a body, then nothing': (SIZED + b'x', b''),
    'chunks, then nothing': (CHUNKED + b'5\r\nab', b''),
}


def test_slow_clients_are_refused_at_their_deadline(service):
    clients = {
        name: [HttpClient(service.port, *sent, 0.05) for _ in range(20)]
        for name, sent in SLOW.items()
    }
    attack(service, [client for group in clients.values() for client in group])
    for name, group in clients.items():
        assert {client.status for client in group} == {408}, name


ENDLESS = {
    'a body': (POST + b'Content-Length: 90000000000\r\n\r\n', b'x', {413}),
    'chunks': (CHUNKED, b'1000\r\n' + b'x' * 0x1000 + b'\r\n', {413}),
    'tiny chunks': (CHUNKED, b'1\r\nx\r\n', {400, 413}),
    'an extension': (CHUNKED + b'1;', b'x', {400}),
    'a size': (CHUNKED, b'0', {400}),
    'trailers': (CHUNKED + b'0\r\n', b'X: 1\r\n', {431}),
    'one trailer': (CHUNKED + b'0\r\nX: ', b'x', {400, 431}),
    'fields': (b'GET / HTTP/1.1\r\nHost: a\r\n', b'X: 1\r\n', {431}),
    'a request line': (b'GET /', b'x', {414}),
    'empty lines': (b'', b'\r\n', {400, 408, 414, 431}),
}


def test_what_never_ends_is_refused_at_its_limit(service):
    clients = {
        name: [HttpClient(service.port, first, piece * (16384 // len(piece) + 1)) for _ in range(3)]
        for name, (first, piece, _) in ENDLESS.items()
    }
    attack(service, [client for group in clients.values() for client in group])
    for name, group in clients.items():
        # 0: a client that sends on for too long does not see its answer
        assert {client.status for client in group} <= {0, *ENDLESS[name][2]}, name
        assert any(client.status for client in group), name


LIES = {
    'chunk that is longer than it says': CHUNKED + b'2\r\nabcdef\r\n0\r\n\r\n',
    'negative chunk': CHUNKED + b'-2\r\nab\r\n0\r\n\r\n',
    'chunk of 16 EiB': CHUNKED + b'ffffffffffffffff0\r\nab\r\n0\r\n\r\n',
    'chunk without a size': CHUNKED + b'\r\nab\r\n0\r\n\r\n',
    'size in another base': CHUNKED + b'0x2\r\nab\r\n0\r\n\r\n',
    'bare line feeds': CHUNKED + b'2\nab\n0\n\n',
    'two lengths': POST + b'Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
    'a length and chunks': POST
    + b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'length with a sign': POST + b'Content-Length: +2\r\n\r\nab',
    'length in other digits': POST + 'Content-Length: ٢\r\n\r\nab'.encode(),
    'unknown encoding': POST + b'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'chunks within gzip': POST + b'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n',
    'chunks twice': POST + b'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n',
    'chunks in HTTP/1.0': CHUNKED.replace(b'1.1', b'1.0') + b'0\r\n\r\n',
    'line feed in a field': b'GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n',
    'carriage return in a field': b'GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n',
    'zero in a field': b'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n',
    'folded field': b'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n',
    'space before a colon': b'GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n',
    'field without a name': b'GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n',
    'two hosts': b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'no host': b'GET / HTTP/1.1\r\n\r\n',
    'control character in the path': b'GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n',
    'a handshake of TLS': b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(40) + b'\r\n\r\n',
}  # fmt: skip


def test_requests_that_lie_are_refused_and_what_follows_is_no_request(service):
    follows = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    clients = {name: HttpClient(service.port, sent + follows) for name, sent in LIES.items()}
    attack(service, list(clients.values()))
    for name, client in clients.items():
        assert client.status in (400, 501), name


def test_half_closed_connections_get_their_answers_and_are_closed(service):
    get = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    sent = {'requests': get * 3, 'a body': SIZED + b'part', 'a head': b'GET / HTT', 'nothing': b''}
    clients = {name: HttpClient(service.port, each, half=True) for name, each in sent.items()}
    attack(service, list(clients.values()))
    assert clients['requests'].answer.count(b'200 OK') == 3
    assert clients['a body'].status == 400
    assert clients['a head'].status in (0, 400)
    assert clients['nothing'].answer == b''


def test_memory_of_attacks_comes_back(service):
    def round() -> dict[str, Any]:
        attacks = [(first, piece * 1000) for first, piece, _ in ENDLESS.values()]
        attacks += [(each, b'') for each in LIES.values()]
        attacks += [(SIZED + b'x' * 500_000, b''), (CHUNKED + b'7ffff\r\n' + b'x' * 500_000, b'')]
        attack(service, [HttpClient(service.port, *each) for each in attacks])
        eventually(lambda: service.facts()['descriptors'] == descriptors, WAIT)
        return service.facts()

    descriptors = service.facts()['descriptors']
    before, after = round(), round()
    assert after['blocks'] < before['blocks'] * 1.01
    assert after['memory'] < before['memory'] + 4 * LIMIT


def test_idle_connections_cost_little_hold_nobody_up_and_their_memory_comes_back(record_property):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + SPARE), hard))
    try:
        with serving(LONG) as service:
            before, *peaks, after = usage(service, count)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    each = (peaks[0]['memory'] - before['memory']) / count
    record_property('connections', count)
    record_property('bytes each', round(each))
    print(f'{count} idle connections, {each:.0f} bytes each')
    assert each < MOST_EACH
    # all objects are gone, and what they have left is used for the next ones
    assert after['blocks'] - before['blocks'] < 0.1 * (peaks[0]['blocks'] - before['blocks'])
    # the workers that have answered the burst stay
    assert peaks[1]['memory'] - peaks[0]['memory'] < 0.3 * each * count


def test_idle_connections_over_tls_cost_little(pair, trusting):
    context = trusting(pair[0])
    tls = {'certificate': str(pair[0]), 'key': str(pair[1])}

    def connect() -> ssl.SSLSocket:
        plain = stdlib_socket.create_connection(('127.0.0.1', service.port), timeout=WAIT)
        sock = context.wrap_socket(plain, server_hostname='localhost')
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert sock.recv(1000).startswith(b'HTTP/1.1 200 OK')
        return sock

    with serving({**LONG, 'tls': tls}) as service, ExitStack() as stack:
        stack.enter_context(connect())  # what the first one costs once
        before = service.facts()
        for _ in range(OVER_TLS):
            stack.enter_context(connect())
        each = (service.facts()['memory'] - before['memory']) / OVER_TLS
        print(f'{OVER_TLS} idle connections over TLS, {each:.0f} bytes each')
        assert each < MOST_OVER_TLS


def usage(service: Service, count: int) -> Iterator[dict[str, Any]]:
    """Yield what is in use before, while there are many connections, and again half as many."""
    before = service.facts()
    yield before
    for most in (count, count // 2):
        with service.answering_calls():
            idle = list(connections(service.port, most))
        peak = service.facts()
        assert peak['descriptors'] == before['descriptors'] + most
        yield peak
        with service.answering_calls():
            burst(service, idle[:BURST])
        with service.answering_calls():
            for sock in idle:
                reset(sock)
            eventually(lambda: service.facts()['descriptors'] == before['descriptors'], WAIT)
    yield service.facts()


def connections(port: int, count: int) -> Iterator[stdlib_socket.socket]:
    """Open connections; one in ten has had a request."""
    for number in range(count):
        sock = stdlib_socket.create_connection(('127.0.0.1', port), timeout=WAIT)
        if number % 10 == 0:
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            assert sock.recv(1000).startswith(b'HTTP/1.1 200 OK')
        yield sock
        if number % 20 == 0:
            gevent.sleep(1e-6)  # for the calls


def burst(service: Service, idle: list[stdlib_socket.socket]) -> None:
    """Let all of these connections have a request at the same moment."""
    service.process.send_signal(signal.SIGSTOP)
    for sock in idle:
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    service.process.send_signal(signal.SIGCONT)
    for sock in idle:
        gevent.socket.wait_read(sock.fileno(), timeout=WAIT)
        assert sock.recv(1000).startswith(b'HTTP/1.1 200 OK')


def reset(sock: stdlib_socket.socket) -> None:
    """Close a connection with a TCP reset, so that its port is free at once."""
    sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()
