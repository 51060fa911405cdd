"""`floor`: the five frames over hand-written ZMTP, and nothing else.

lymph's own codec on gevent's sockets. Replies go to waiting greenlets through a plain dict,
requests to greenlets that are used again and may wait, as a service's have to. No registry, trace,
deadline, metrics, checks or errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import gevent
import msgpack
from gevent import socket
from gevent.server import StreamServer
from greenlet import getcurrent, greenlet

from bench.driving import greenlets as driving
from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.session import ZmtpSession

__all__ = ['connect', 'driving', 'serve']

_HEADERS = msgpack.packb({})
_LIMIT = 1 << 26  # bytes a message
_CHUNK = 1 << 16  # bytes asked for in one system call

_pack = msgpack.Packer().pack
_hub = gevent.get_hub()
_soon = _hub.loop.run_callback


def serve(ready: Callable[[str], None]) -> None:
    def answer(sock: socket.socket, _: object) -> None:
        service = _Service(_Outgoing(sock))
        for messages in _batches(sock, 'ROUTER'):
            for id, _, _, _, body in messages:
                service.start(id, body)

    server = StreamServer(('127.0.0.1', 0), answer)
    server.start()
    ready(f'127.0.0.1:{server.server_port}')
    server.serve_forever()


def connect(endpoint: str) -> Callable[[str], object]:
    host, _, port = endpoint.rpartition(':')
    return _Client(socket.create_connection((host, int(port)))).call


class _Service:
    def __init__(self, outgoing: _Outgoing) -> None:
        self._outgoing = outgoing
        self._ids = itertools.count(1)
        self._idle: list[greenlet] = []

    def start(self, id: bytes, body: bytes) -> None:
        worker = self._idle.pop() if self._idle else greenlet(self._work, _hub)
        _soon(worker.switch, id, body)

    def _work(self, id: bytes, body: bytes) -> None:
        while True:
            text = _pack(msgpack.unpackb(body)['text'])
            new_id = next(self._ids).to_bytes(16, 'big')
            self._outgoing.add(encode_message((new_id, b'REP', id, _HEADERS, text)))
            self._idle.append(getcurrent())
            id, body = _hub.switch()


class _Client:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._outgoing = _Outgoing(sock)
        self._ids = itertools.count(1)
        self._waiting: dict[bytes, greenlet] = {}
        self._reader = gevent.spawn(self._read)

    def call(self, text: str) -> object:
        id = next(self._ids).to_bytes(16, 'big')
        self._waiting[id] = getcurrent()
        body = _pack({'text': text})
        self._outgoing.add(encode_message((id, b'REQ', b'echo.echo', _HEADERS, body)))
        return msgpack.unpackb(_hub.switch())

    def _read(self) -> None:
        for messages in _batches(self._sock, 'DEALER'):
            for _, _, id, _, body in messages:
                _soon(self._waiting.pop(id).switch, body)


class _Outgoing:
    """Sends in one go what one loop turn leaves."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._data: list[bytes] = []
        self._idle = False
        self._writer = gevent.spawn(self._write)

    def add(self, data: bytes) -> None:
        self._data.append(data)
        if self._idle:
            self._idle = False
            _soon(self._writer.switch)

    def _write(self) -> None:
        while True:
            if not self._data:
                self._idle = True
                _hub.switch()
            data = b''.join(self._data)
            self._data.clear()
            self._sock.sendall(data)


def _batches(sock: socket.socket, socket_type: str) -> Iterator[list[list[bytes]]]:
    """Yield the messages that each received chunk completes, until the peer closes."""
    session = ZmtpSession(socket_type, _LIMIT)
    sock.sendall(session.opening())
    while data := sock.recv(_CHUNK):
        messages = session.receive(data)
        if messages:
            yield messages
