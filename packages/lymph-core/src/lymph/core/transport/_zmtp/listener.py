"""Accepting TCP connections in the hub.

Theory: a listening socket stays readable while a connection waits, so an `accept` that fails for
lack of descriptors or memory would be tried again at once, for ever. The listener stands still
instead, says so, and tries again after a growing pause; nobody has to start it again.
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

_BACKLOG = 1024  # connections the kernel holds while the loop is busy
_PER_TURN = 100  # connections; then others get their turn
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds

# What accept(2) reports of a connection that has ended already; the listener itself is well.
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
    """Hands the sockets of new connections to `accepted(socket, address)`, in the hub.

    `closed(listener)` is called once, for its owner's table. Raises OSError.
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
        """Why nobody is accepted at the moment."""
        return self._trouble

    def close(self) -> None:
        """Accept no more links."""
        self.abandon()
        self._closed(self)

    def abandon(self) -> None:
        """Let go of the socket in a forked child."""
        self._readable.stop()
        self._readable.close()
        self._retry.stop()
        self._retry.close()
        self._sock.close()

    def _accept(self) -> None:
        """Accept who waits, up to a fair number. Never raises."""
        for _ in range(_PER_TURN):
            try:
                sock, address = self._sock.accept()
            except BlockingIOError:
                self._go_on()
                return
            except BaseException as error:  # noqa: BLE001 - the listener says so
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
        """Accept nobody until the next try."""
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
        self._accept()  # nobody may be waiting any more

    def _go_on(self) -> None:
        if self._trouble is None:
            return
        self._trouble = None
        self._pause = _FIRST_PAUSE
        self._edge.turn(logging.WARNING, '%s accepts connections again', self.endpoint)
