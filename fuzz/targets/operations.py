"""Clients of an operations port that send broken heads."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from random import Random

from fuzz.findings import Finding
from fuzz.generate import mutated
from lymph.config.printable import quoted
from lymph.core._operations.answers import PortAnswer
from lymph.core._operations.heads import OperationsRequest
from lymph.core._operations.server import PortThread

__all__ = ['OperationsClients']

_ANSWER = 30.0  # seconds
_CORPUS = [
    b'GET /livez HTTP/1.1\r\nHost: test\r\n\r\n',
    b'GET /readyz?verbose HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n' * 3,
    b'HEAD /metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    b'GET http://other:80/stacks HTTP/1.1\r\nHost: test\r\nConnection: close, te\r\n\r\n',
    b'\r\nGET / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n',
    b'GET /metrics HTTP/1.1\r\nHost: test\r\nAccept: application/openmetrics-text; version=1.0.0;'
    b'q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1\r\n\r\n',
    b'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: test\r\n' + b'a: b\r\n' * 99 + b'\r\n',
    b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\nHost: test\r\n\r\n',
    b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\0' * 500,
]
_HEAD = re.compile(rb'HTTP/1\.1 ([1-5]\d\d) [\x20-\x7e]*\r\n(?:[!-9;-~]+: [\x20-\x7e]*\r\n)+\r\n')
_STATUSES = (b'200', b'400', b'405', b'431', b'505')


def _respond(request: OperationsRequest) -> PortAnswer:
    return PortAnswer(200, f'{request.verbose} {quoted(request.path)}\n')


class OperationsClients:
    """Each has one connection with whatever is in it; well-behaved clients are served meanwhile."""

    def __init__(self) -> None:
        listening = socket.create_server(('127.0.0.1', 0))
        listening.setblocking(False)
        self._address = listening.getsockname()
        self._thread = PortThread(listening, _respond)
        self._thread.start()

    def attack(self, chance: Random) -> None:
        """Send one input, and read the answer if there is one."""
        data = chance.choice(_CORPUS)
        if chance.random() < 0.9:
            data = mutated(chance, data, _CORPUS)
        answer = self._answer(data)
        head = _HEAD.match(answer)
        if answer and (head is None or head[1] not in _STATUSES):
            raise Finding(f'{quoted(data, 500)} was answered by {quoted(answer, 300)}')
        if not self._answer(b'GET /livez HTTP/1.0\r\n\r\n').endswith(b"\r\n\r\nFalse '/livez'\n"):
            raise Finding(f'after {quoted(data, 500)} a well-behaved client got no answer')

    def close(self) -> None:
        """End the thread; raises Finding if it does not end."""
        if not self._thread.close():
            raise Finding('the thread of the operations port did not end')

    def _answer(self, data: bytes) -> bytes:
        answer = b''
        with suppress(OSError), socket.create_connection(self._address, _ANSWER) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                answer += part
        return answer
