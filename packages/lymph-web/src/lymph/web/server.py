"""The HTTP server: accepts connections, knows which of them are idle, and drains.

gevent's WSGI server with strict reading, limits, and an end that cuts nothing short. A keep-alive
connection is in one of two states: it waits for a request (`idle`), or a request of it is being
answered. In a drain it closes after its next answer, at the end at once if it is idle.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from gevent.socket import socket as GeventSocket

from lymph.web.connections import Connection
from lymph.web.limits import Limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ['WebServer']

logger = logging.getLogger(__name__)


class WebServer(WSGIServer):
    """Serves a WSGI application on `listener`: a listening socket, or an IP address and a port.

    `draining` tells whether answers are to close their connections. `start` raises OSError when the
    address cannot be had.
    """

    pool: Pool

    def __init__(
        self,
        listener: GeventSocket | tuple[str, int],
        application: WSGIApplication,
        limits: Limits | None = None,
        draining: Callable[[], bool] = bool,
    ) -> None:
        self.limits = limits or Limits()
        self._draining = draining
        self._idle: dict[Connection, None] = {}  # in the order in which they became so
        self._ended = False
        super().__init__(
            listener,
            application,
            spawn=Pool(self.limits.wsgi_pool_size),
            log=None,
            error_log=logger,
            handler_class=Connection,
            environ={'SERVER_NAME': self._name(listener), 'wsgi.multithread': True},
        )

    @property
    def closing(self) -> bool:
        """Whether connections close after the answer that is on its way."""
        return self._ended or self._draining()

    def handle(self, sock: GeventSocket, address: Any) -> None:
        """Serve one accepted connection to its end."""
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.pool.full():
            self._make_room()
        super().handle(sock, address)

    @contextmanager
    def idle(self, connection: Connection) -> Iterator[None]:
        """Count `connection` as idle within the block, so that a drain may close it."""
        self._idle[connection] = None
        if self._ended:
            connection.end()
        try:
            yield
        finally:
            self._idle.pop(connection, None)

    def finish(self, timeout: float) -> int:
        """Stop: accept no more, let answers end for up to `timeout` seconds, then cut the rest.

        Returns how many were cut.
        """
        self._ended = True
        self.close()
        for connection in list(self._idle):
            connection.end()
        self.pool.join(timeout)
        cut = len(self.pool)
        self.pool.kill(timeout=1.0)
        return cut

    def _make_room(self) -> None:
        # the next client need not wait for the idle timeout of those that were answered
        answered = (connection for connection in self._idle if connection.served)
        oldest = next(answered, None)
        if oldest is not None:
            oldest.end()

    @staticmethod
    def _name(listener: GeventSocket | tuple[str, int]) -> str:
        # given, or gevent would ask the DNS for it
        address = listener if isinstance(listener, tuple) else listener.getsockname()
        return str(address[0]) if isinstance(address, tuple) else ''
