"""`raw`: the five frames over zmq.green, a greenlet for each request, an AsyncResult for each call.

What a programmer writes who knows pyzmq and gevent and nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import gevent
import msgpack
import zmq.green as zmq
from gevent.event import AsyncResult

from bench.driving import greenlets as driving

__all__ = ['connect', 'driving', 'serve']

_HEADERS = msgpack.packb({})
_TIMEOUT = 30.0  # seconds


def serve(ready: Callable[[str], None]) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    port = socket.bind_to_random_port('tcp://127.0.0.1')

    def handle(parts: list[bytes]) -> None:
        peer, id, _, _, headers, body = parts
        text = msgpack.unpackb(body)['text']
        socket.send_multipart([peer, uuid.uuid4().bytes, b'REP', id, headers, msgpack.packb(text)])

    ready(f'tcp://127.0.0.1:{port}')
    while True:
        gevent.spawn(handle, socket.recv_multipart())


def connect(endpoint: str) -> Callable[[str], object]:
    socket = zmq.Context().socket(zmq.DEALER)
    socket.connect(endpoint)
    pending: dict[bytes, AsyncResult[object]] = {}

    def read() -> None:
        while True:
            _, _, id, _, body = socket.recv_multipart()
            pending.pop(id).set(msgpack.unpackb(body))

    def call(text: str) -> object:
        id = uuid.uuid4().bytes
        result: AsyncResult[object] = AsyncResult()
        pending[id] = result
        socket.send_multipart([id, b'REQ', b'echo.echo', _HEADERS, msgpack.packb({'text': text})])
        return result.get(timeout=_TIMEOUT)

    gevent.spawn(read)
    return call
