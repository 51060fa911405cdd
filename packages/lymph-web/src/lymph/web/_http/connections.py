"""One connection of a client: serves its requests until either side closes it."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from gevent.socket import socket as GeventSocket

from lymph.core.addresses import join_address
from lymph.core.failures import Killed, error_line
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.web._answering.faults import ClientGone, ErrorAnswers
from lymph.web._http.bodies import Body
from lymph.web._http.deliveries import AnswerSender
from lymph.web._http.environs import make_environ
from lymph.web._http.heads import Head, HeadError
from lymph.web._http.incoming import Incoming
from lymph.web._http.limits import Limits
from lymph.web._http.reading import read_head
from lymph.web._http.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ['ConnectionHost', 'HttpConnection']

_SLICE = 64 * 1024  # bytes that have to leave within one stall timeout
_LINGER = 2.0  # seconds
_CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
_REASONS = {
    400: 'Bad Request',
    408: 'Request Timeout',
    414: 'URI Too Long',
    417: 'Expectation Failed',
    431: 'Request Header Fields Too Large',
    501: 'Not Implemented',
    505: 'HTTP Version Not Supported',
}


class ConnectionHost(Protocol):
    """What a connection needs of the server that accepted it."""

    #: the WSGI application that answers requests
    application: WSGIApplication
    limits: Limits
    #: answers for an application that fails
    faults: ErrorAnswers
    limited_log: LimitedLog

    @property
    def closing(self) -> bool:
        """Whether connections close after the answer that is on its way."""

    def full(self) -> bool:
        """Tell whether as many connections are open as the server accepts."""

    def get_environ(self) -> dict[str, Any]:
        """Return a new copy of the WSGI environment that all requests share."""

    def idle(self, connection: HttpConnection) -> AbstractContextManager[None]:
        """Count `connection` as idle within the block: the server may call `end` meanwhile."""


class HttpConnection:
    """Serves the requests of one client, one at a time, within the limits of `server`.

    `sock` is the accepted socket, `address` its peer as the socket module returns it.
    """

    def __init__(self, sock: GeventSocket, address: Any, server: ConnectionHost) -> None:
        self.socket = sock
        self.server = server
        self.served = 0
        self._address = address
        self._turns = Turns()
        self._incoming = Incoming(self._receive, self._turns.spend)
        self._delivery: AnswerSender

    def handle(self) -> None:
        """Serve the client until either side closes the connection."""
        try:
            while self._serve():
                if self._incoming.buffer:  # the next request need not be waited for
                    self._turns.give()
        except Killed:
            raise
        except ClientGone as error:
            self._log(logging.INFO, f'the client is gone: {error}')
        except BaseException as error:  # noqa: BLE001 - such as a handler's timeout that is late
            self._log(logging.ERROR, 'the connection failed', error)
        finally:
            self._close()

    def end(self) -> None:
        """Close a connection that waits for a request."""
        with suppress(OSError):
            # for reading alone: a request that has just arrived still gets its answer
            self.socket.shutdown(socket.SHUT_RD)

    def _serve(self) -> bool:
        """Wait for a request and answer it; return whether another may follow."""
        try:
            head = read_head(self._incoming, self.server.limits) if self._wait() else None
        except HeadError as error:
            self._refuse(error)
            return False
        except OSError:
            return False  # it was idle for too long, or is broken
        if head is None:
            return False  # the client has closed the connection, or `end` has
        body = Body(head, self._incoming, self.server.limits, self._proceed)
        reusable = self._answer(head, body)
        self.served += 1
        # A short rest of the body is read, so that the next request can follow. A longer one ends
        # the connection, but not before the client had time to read its answer.
        if body.unread:
            with self.server.idle(self):
                body.skip()
        if body.unread:
            self._linger()
            return False
        return reusable

    def _answer(self, head: Head, body: Body) -> bool:
        """Answer a request; return whether the connection can be used again."""

        def must_close() -> bool:
            ending = self.server.closing or self.server.full()
            return ending or body.abandoned or not head.keep_alive

        environ = make_environ(self.server.get_environ(), head, body, self._address)
        self._delivery = AnswerSender(head, self._send, must_close, self.server.faults)
        return self._delivery.run(self.server.application, environ)

    # Reading.

    def _wait(self) -> bool:
        """Wait for the first byte of a request; return whether there is one."""
        if self._incoming.buffer:
            return True
        limits = self.server.limits
        with self.server.idle(self):
            timeout = limits.idle_timeout if self.served else limits.header_timeout
            return self._incoming.fill(timeout)

    def _receive(self, size: int, timeout: float) -> bytes:
        self.socket.settimeout(timeout)
        return self.socket.recv(size)

    # Writing.

    def _send(self, data: bytes) -> None:
        self.socket.settimeout(self.server.limits.stall_timeout)
        try:
            for start in range(0, len(data), _SLICE):
                part = memoryview(data)[start : start + _SLICE]
                self.socket.sendall(part)
                self._turns.spend(len(part))
        except TimeoutError:
            raise ClientGone('it stopped reading the answer') from None
        except OSError as error:
            raise ClientGone(error_line(error)) from None

    def _proceed(self) -> None:
        """Ask for a body, unless its client has an answer already."""
        if not self._delivery.begun:
            self.socket.settimeout(self.server.limits.stall_timeout)
            self.socket.sendall(_CONTINUE)

    def _refuse(self, error: HeadError) -> None:
        self._log(logging.INFO, f'request refused: {error.status} {error}')
        body = f'{error}\n'.encode()
        head = (
            f'HTTP/1.1 {error.status} {_REASONS[error.status]}\r\n'
            f'Content-Type: text/plain; charset=utf-8\r\n'
            f'Content-Length: {len(body)}\r\nConnection: close\r\n\r\n'
        )
        with suppress(ClientGone):
            self._send(head.encode('latin-1') + body)
            self._linger()

    # Closing.

    def _linger(self) -> None:
        """Wait up to 2 seconds so that the client reads the answer before a reset discards it.

        Source: RFC 9112, section 9.6.
        """
        deadline = time.monotonic() + _LINGER
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                data = self._receive(_SLICE, left)
                if not data:
                    return
                self._turns.spend(len(data))

    def _close(self) -> None:
        with suppress(OSError):
            self._receive(_SLICE, 0)  # what was not read would reset the connection
        with suppress(OSError):
            self.socket.close()

    def _log(self, level: int, text: str, error: BaseException | None = None) -> None:
        peer = self._address
        client = join_address(str(peer[0]), peer[1]) if isinstance(peer, tuple) else 'a client'
        cause = peer[0] if isinstance(peer, tuple) else client
        self.server.limited_log.write(level, cause, '%s: %s', client, text, exc_info=error)
