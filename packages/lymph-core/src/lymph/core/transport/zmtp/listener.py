"""Accepting TCP connections in the hub."""

from __future__ import annotations

from collections.abc import Callable

from gevent.server import StreamServer
from gevent.socket import socket

from lymph.core.transport.base import Listener
from lymph.core.transport.endpoints import join_tcp

__all__ = ['ZmtpListener']

_BACKLOG = 1024  # connections the kernel holds while the loop is busy

_Accepted = Callable[[socket, tuple[str, int]], None]


class ZmtpListener(Listener):
    """Hands the sockets of new connections to `accepted(socket, address)`, in the hub.

    `closed(listener)` is called once, for its owner's table.
    """

    def __init__(
        self, host: str, port: int, accepted: _Accepted, closed: Callable[[ZmtpListener], None]
    ) -> None:
        self._server = _Server((host, port), accepted)
        self._closed = closed
        self._server.start()
        self.endpoint = join_tcp(host, self._server.socket.getsockname()[1])

    def close(self) -> None:
        """Accept no more links."""
        self._server.close()
        self._closed(self)

    def abandon(self) -> None:
        """Let go of the socket in a forked child."""
        self._server.close()


class _Server(StreamServer):
    """A server whose handler keeps the socket; gevent's would close it when the handler returns."""

    def __init__(self, address: tuple[str, int], accepted: _Accepted) -> None:
        super().__init__(address, accepted, backlog=_BACKLOG)
        self._accepted = accepted

    def do_handle(self, sock: socket, address: tuple[str, int]) -> None:
        self._accepted(sock, address)
