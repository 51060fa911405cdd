"""One connection of a client: request after request, until either side is done with it."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from io import BufferedReader
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import gevent
from gevent.pywsgi import WSGIHandler

from lymph.web.bodies import Body
from lymph.web.heads import Head, HeadError, parse_head

if TYPE_CHECKING:
    from lymph.web.server import WebServer

__all__ = ['Connection']

logger = logging.getLogger(__name__)

_SLICE = 64 * 1024  # what has to leave within one stall timeout
_LINGER = 2.0
_REASONS = {
    400: 'Bad Request',
    408: 'Request Timeout',
    414: 'URI Too Long',
    417: 'Expectation Failed',
    431: 'Request Header Fields Too Large',
    501: 'Not Implemented',
    505: 'HTTP Version Not Supported',
}
_LISTS = {'HTTP_COOKIE': '; '}  # how repeated fields are joined, if not by a comma


class _Enough(Exception):
    """The client has had its time to read the answer."""


class Connection(WSGIHandler):
    """Reads requests strictly and within the limits of its server, and answers one at a time."""

    server: WebServer
    client_address: Any
    rfile: BufferedReader
    head: Head
    body: Body
    served = 0

    def handle_one_request(self) -> Any:
        """Wait for a request and answer it; return True when another may follow."""
        if not self._wait():
            return None
        try:
            head = self._read_head()
        except HeadError as error:
            self._refuse(error)
            return None
        except OSError:
            return None
        if head is None:
            return None
        self._begin(head)
        self.handle_one_response()
        self.served += 1
        if self.body.unread:
            self._linger()
            return None
        return None if self.close_connection else True

    def end(self) -> None:
        """Close a connection that waits for a request."""
        with suppress(OSError):
            # for reading alone: a request that has just arrived still gets its answer
            self.socket.shutdown(socket.SHUT_RD)

    # Reading.

    def _wait(self) -> bool:
        """Wait for the first byte of a request; return whether there is one."""
        limits = self.server.limits
        self.socket.settimeout(limits.idle_timeout if self.served else limits.header_timeout)
        try:
            with self.server.idle(self):
                return bool(self.rfile.peek(1))
        except OSError:
            return False

    def _read_head(self) -> Head | None:
        """Return the head of the next request, None if the client went away."""
        limits = self.server.limits
        timeout = gevent.Timeout.start_new(limits.header_timeout)
        try:
            data = self._read_lines(limits.max_header_size)
        except gevent.Timeout as error:
            if error is not timeout:
                raise
            raise HeadError(408, f'no whole head within {limits.header_timeout} s') from None
        finally:
            timeout.close()
        return None if data is None else parse_head(data, limits.max_headers)

    def _read_lines(self, limit: int) -> bytes | None:
        data = bytearray()
        taken = 0
        while True:
            line = self.rfile.readline(limit + 1 - taken)
            taken += len(line)
            if taken > limit:
                status = 431 if b'\n' in data else 414
                raise HeadError(status, f'expected at most {limit} bytes before the body')
            if not line.endswith(b'\n'):
                return None
            if not line.endswith(b'\r\n'):
                raise HeadError(400, 'expected lines that end with CR LF')
            if line != b'\r\n':
                data += line
            elif data:  # empty lines before a request are ignored (RFC 9112, 2.2)
                return bytes(data)

    def _begin(self, head: Head) -> None:
        self.head = head
        self.body = Body(head, self.rfile, self.socket, self.server.limits.max_body_size)
        self.wsgi_input = self.body
        self.command = head.method
        self.requestline = f'{head.method} {head.path} {head.version}'
        self.request_version = head.version
        self.close_connection = not head.keep_alive
        self.environ = self.get_environ()
        self.application = self.server.application
        self.socket.settimeout(self.server.limits.stall_timeout)

    def get_environ(self) -> dict[str, Any]:
        """Return the WSGI environment of the request (PEP 3333)."""
        head = self.head
        environ: dict[str, Any] = self.server.get_environ()
        environ['REQUEST_METHOD'] = head.method
        environ['PATH_INFO'] = unquote(head.path, encoding='latin-1')
        environ['QUERY_STRING'] = head.query
        environ['SERVER_PROTOCOL'] = head.version
        if isinstance(self.client_address, tuple):
            environ['REMOTE_ADDR'] = str(self.client_address[0])
            environ['REMOTE_PORT'] = str(self.client_address[1])
        for name, value in head.fields:
            if '_' in name:
                continue  # it would pass for the field with a dash that a front server checks
            key = name.upper().replace('-', '_')
            if key not in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
                key = f'HTTP_{key}'
            known = environ.get(key)
            environ[key] = value if known is None else f'{known}{_LISTS.get(key, ",")}{value}'
        if head.host is not None:
            environ['HTTP_HOST'] = head.host
        environ['wsgi.input'] = self.body
        environ['wsgi.input_terminated'] = True
        return environ

    # Writing.

    def write(self, data: bytes) -> None:
        """Send a part of the answer's body, and the headers before the first."""
        if self.command == 'HEAD':
            data = b''
        for start in range(0, len(data) or 1, _SLICE):
            super().write(data[start : start + _SLICE])

    def finalize_headers(self) -> None:
        """Complete the headers: how long the body is, whether the connection stays."""
        super().finalize_headers()
        headers: Any = self.response_headers
        names = {name.lower() for name, _ in headers}
        if self.command == 'HEAD':
            self.response_use_chunked = False
        elif not names & {b'content-length', b'transfer-encoding'}:
            # the end of the connection is the end of the body
            self.close_connection |= self.code not in (101, 204, 304)
        self.close_connection |= self.server.closing or self.server.full() or self.body.abandoned
        if self.close_connection and self.code != 101:
            headers[:] = [h for h in headers if h[0].lower() != b'connection']
            headers.append((b'Connection', b'close'))

    def handle_error(
        self,
        t: type[BaseException] | None,
        v: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log what went wrong while an answer was written, and close the connection."""
        self.close_connection = True
        if isinstance(v, gevent.GreenletExit):
            return
        if isinstance(v, TimeoutError):
            logger.info('%s: the client stopped reading the answer', self.requestline)
            return
        logger.error('%s: the answer failed', self.requestline, exc_info=v)
        if not self.headers_sent:
            self._send(500, 'Internal Server Error', 'The answer could not be made.')

    def log_request(self) -> None:
        """Do nothing: the application logs its requests."""

    def _refuse(self, error: HeadError) -> None:
        logger.info('request from %s refused: %d %s', self.client_address, error.status, error)
        self._send(error.status, _REASONS[error.status], str(error))
        self._linger()

    def _send(self, status: int, reason: str, text: str) -> None:
        body = f'{text}\n'.encode()
        head = (
            f'HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n'
            f'Content-Length: {len(body)}\r\nConnection: close\r\n\r\n'
        )
        with suppress(OSError):
            self.socket.sendall(head.encode('latin-1') + body)

    def _linger(self) -> None:
        """Let the client read the answer before its own bytes reset the connection.

        Source: RFC 9112, section 9.6.
        """
        with suppress(OSError, _Enough), gevent.Timeout(_LINGER, _Enough):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(_SLICE):
                pass
