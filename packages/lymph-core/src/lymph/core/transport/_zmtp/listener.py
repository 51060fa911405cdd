"""Accepting TCP connections in the hub.

Theory: a listening socket stays readable while a connection waits, so an `accept` that fails for
lack of descriptors or memory would be tried again at once, for ever. Instead, the listener stops
accepting, logs the reason, and tries again after growing pauses until it succeeds.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable

import gevent

from lymph.core.failures import error_line
from lymph.core.transport._zmtp.sockets import listen
from lymph.core.transport.base import Listener
from lymph.core.transport.edge import Edge
from lymph.core.transport.endpoints import join_tcp

__all__ = ['ZmtpListener']

_BACKLOG = 1024  # connections that the kernel queues while the loop is busy
_PER_TURN = 100  # connections accepted in one turn of the loop
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds

# Errors of accept(2) that concern only a connection that has ended already.
_OF_ONE_CONNECTION = frozenset(
    getattr(errno, name)
    for name in (
        'ECONNABORTED',
        'ECONNRESET',
        'EHOSTDOWN',
        'EHOSTUNREACH',
        'EINTR',
        'ENETDOWN',
        'ENETUNREACH',
        'ENONET',
        'ENOPROTOOPT',
        'EOPNOTSUPP',
        'EPERM',
        'EPROTO',
        'ETIMEDOUT',
    )
    if hasattr(errno, name)
)

_Accepted = Callable[[socket.socket, tuple[str, int]], None]


class ZmtpListener(Listener):
    """Passes the sockets of new connections to `accepted(socket, address)`, in the hub.

    `closed(listener)` is called by `close`, so that the owner can forget it. Raises OSError if the
    address cannot be listened at.
    """

    def __init__(
        self,
        host: str,
        port: int,
        accepted: _Accepted,
        edge: Edge,
        closed: Callable[[ZmtpListener], None],
    ) -> None:
        self._accepted = accepted
        self._edge = edge
        self._closed = closed
        self._sock = listen(host, port, _BACKLOG)
        self.endpoint = join_tcp(host, self._sock.getsockname()[1])
        self._trouble: str | None = None
        self._pause = _FIRST_PAUSE
        self._loop = gevent.get_hub().loop
        self._readable = self._loop.io(self._sock.fileno(), 1)
        self._readable.start(self._accept)
        self._retry = self._loop.timer(0)

    @property
    def trouble(self) -> str | None:
        """Why no connections are accepted at the moment; None if they are."""
        return self._trouble

    def close(self) -> None:
        """Stop accepting links."""
        self.abandon()
        self._closed(self)

    def abandon(self) -> None:
        """In a forked child, close the copy of the socket."""
        self._readable.stop()
        self._readable.close()
        self._retry.stop()
        self._retry.close()
        self._sock.close()

    def _accept(self) -> None:
        """Accept the connections that wait, up to a fair number. Never raises."""
        for _ in range(_PER_TURN):
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                self._go_on()
                return
            except BaseException as error:  # noqa: BLE001 - logged by `_stand_still`
                if isinstance(error, OSError) and error.errno in _OF_ONE_CONNECTION:
                    continue
                self._stand_still(error)
                return
            self._go_on()
            try:
                self._accepted(sock, address)
            except BaseException as error:  # noqa: BLE001 - the edge logs it
                sock.close()
                self._edge.loop_failed(self.endpoint, error)

    def _stand_still(self, error: BaseException) -> None:
        """Stop accepting until a pause is over; log the reason at the first failure."""
        text = error.strerror if isinstance(error, OSError) else None
        reason = text or error_line(error)
        if self._trouble is None:
            line = '%s accepts no connections: %s; trying again until it works'
            self._edge.turn(logging.ERROR, line, self.endpoint, reason)
        self._trouble = reason
        self._readable.stop()
        self._retry.stop()
        self._retry.close()
        self._retry = self._loop.timer(self._pause)
        self._retry.start(self._try_again)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _try_again(self) -> None:
        self._readable.start(self._accept)
        self._accept()  # at once: if no connection waits any more, this clears the trouble

    def _go_on(self) -> None:
        if self._trouble is None:
            return
        self._trouble = None
        self._pause = _FIRST_PAUSE
        self._edge.turn(logging.WARNING, '%s accepts connections again', self.endpoint)
