"""Clients of HTTP that send broken heads and bodies."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from random import Random

from fuzz.findings import Finding
from fuzz.generate import mutated
from fuzz.standing import Standing
from lymph.config.printable import quoted

__all__ = ['Http']

_ANSWER = 30.0  # seconds
_HEAD = b'POST /a%20b?c=d HTTP/1.1\r\nHost: test\r\n'
_CORPUS = [
    b'GET / HTTP/1.1\r\nHost: test\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a,b\r\nX-Trace-Id: a\r\n\r\n' * 3,
    b'HEAD /%0d%0a HTTP/1.0\r\n\r\n',
    _HEAD + b'Content-Length: 5\r\nAccept: application/json\r\n\r\nhello',
    _HEAD + b'Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\nTrailer: x\r\n\r\n',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\n' + b'1\r\nx\r\n' * 5000 + b'0\r\n\r\n',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\n0\r\n' + b'A: b\r\n' * 10_000 + b'\r\n',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\n1;' + b'x' * 100_000 + b'\r\nx\r\n0\r\n\r\n',
    _HEAD + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx',
    _HEAD
    + b'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9\r\n\r\n--b\r\n\r\n--b',
    b'GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 6.6.6.6, [::1]:80, 127.0.0.2\r\n'
    b'X-Forwarded-Proto: https\r\nX-Forwarded-Host: a.org:8\r\nX-Forwarded-Port: 443\r\n'
    b'X-Forwarded-Prefix: /a%2fb\r\nX-Request-Timeout: 0.5\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: test\r\nForwarded: for="[::1]:8";proto=https;host="a\\"",'
    b'for=127.0.0.2;by=_x\r\nAccept-Encoding: gzip;q=0.5, identity;q=0, *;q=0\r\n\r\n',
    b'OPTIONS / HTTP/1.1\r\nHost: test\r\nOrigin: https://a.example.org\r\n'
    b'Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: a, b\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: test\r\nOrigin: null\r\ntracestate: a=1,b@c=2\r\n'
    b'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n',
    b'OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n',
    b'GET http://other/x HTTP/1.1\r\nHost: test\r\nConnection: close, te\r\n\r\n',
]
_STATUS_LINE = re.compile(rb'HTTP/1\.1 [1-5]\d\d [\x20-\x7e]*\r\n')


class Http:
    """One connection with whatever is in it; well-behaved clients are served meanwhile."""

    _ROUND = 20

    def __init__(self) -> None:
        self._standing = Standing('zmtp')
        self._sent = self._done = 0

    def attack(self, chance: Random) -> None:
        """Send one input, and read the answer if there is one."""
        data = chance.choice(_CORPUS)
        if chance.random() < 0.9:
            data = mutated(chance, data, _CORPUS)
        answer = b''
        with suppress(OSError), self._connect() as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while len(answer) < 1_000_000 and (part := client.recv(65536)):
                answer += part
        if answer and not _STATUS_LINE.match(answer):
            raise Finding(f'{quoted(data, 500)} was answered by {quoted(answer, 300)}')
        self._sent += len(data)
        self._done += 1
        if self._done % self._ROUND == 0:
            self._behave()
            self._standing.check(self._sent)
            self._sent = 0

    def close(self) -> None:
        """End the service and see what it is left with."""
        self._standing.close()

    def _connect(self) -> socket.socket:
        return socket.create_connection(('127.0.0.1', self._standing.http_port), _ANSWER)

    def _behave(self) -> None:
        with self._connect() as client:
            client.sendall(
                b'POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n'
                b'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
            )
            answer = b''
            while part := client.recv(65536):
                answer += part
        if not answer.startswith(b'HTTP/1.1 200') or b'\r\n\r\n3 127.0.0.1 ' not in answer:
            raise Finding(f'a well-behaved client was told {quoted(answer, 300)}')
