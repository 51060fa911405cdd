"""The HTTP server: accepts connections, keeps track of idle ones, and drains.

gevent's server with connections of our own, limits, and an end that cuts nothing short. A
keep-alive connection is in one of two states: it waits for a request (`idle`), or a request of it
is being answered. In a drain it closes after its next answer, at the end at once if it is idle.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from gevent.socket import socket as GeventSocket

from lymph.core._system.private_parts import as_expected, takes
from lymph.core.addresses import in_brackets
from lymph.core.greenlets import Greenlet, kill_in_time
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.web._answering.faults import ErrorAnswers
from lymph.web._http.connections import HttpConnection
from lymph.web._http.limits import Limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ['WebServer']

logger = logging.getLogger(__name__)

# Descriptors or memory of the process or the machine are used up; they may be free again soon.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE = 0.1  # seconds
#: Seconds that a connection which was just accepted has for its first request when the server ends.
_FIRST_REQUEST = 1.0
_CUT_TIMEOUT = 1.0  # seconds that requests which are cut get to close their resources
#: Whether an error of `do_read` can be answered here; gevent's own pause comes with a traceback.
_PAUSES = as_expected(
    'gevent',
    'StreamServer.do_read',
    lambda: takes(StreamServer.do_read, 'self') and takes(StreamServer.start_accepting, 'self'),
)


class WebServer(WSGIServer):
    """Serves a WSGI application on `listener`: a listening socket, or an IP address and a port.

    Other processes may accept connections from the same socket; it is closed only in this one.
    `draining` returns whether answers close their connections; `faults` makes the answer when the
    application fails. `start` raises OSError when the address cannot be used.
    """

    pool: Pool

    def __init__(
        self,
        listener: socket.socket | tuple[str, int],
        application: WSGIApplication,
        limits: Limits | None = None,
        draining: Callable[[], bool] = bool,
        faults: ErrorAnswers | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.faults = faults or ErrorAnswers()
        self.limited_log = LimitedLog(logger)
        self._draining = draining
        self._idle: dict[HttpConnection, None] = {}  # in the order in which they became so
        self._ended = False
        self._patient = False  # with connections that have not had a request yet
        super().__init__(
            listener,
            application,
            spawn=Pool(self.limits.wsgi_pool_size, Greenlet),
            log=None,
            error_log=logger,
            environ={
                'SERVER_NAME': self._name(listener),
                'wsgi.multithread': True,
                # then connections are accepted one at a time: the others get their share
                'wsgi.multiprocess': not isinstance(listener, tuple),
            },
        )

    @property
    def closing(self) -> bool:
        """Whether connections close after the answer that is on its way."""
        return self._ended or self._draining()

    def handle(self, sock: GeventSocket, address: Any) -> None:
        """Serve one accepted connection to its end."""
        if sock.family != socket.AF_UNIX:
            # fails for a client that has gone, which is found out when it is read from
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.pool.full():
            self._make_room()
        HttpConnection(sock, address, self).handle()

    def do_read(self) -> Any:
        """Accept a connection; pause for 0.1 s when descriptors or memory are used up."""
        try:
            return super().do_read()
        except OSError as error:
            if error.errno not in _EXHAUSTED or not _PAUSES:
                raise
            self.limited_log.write(
                logging.ERROR,
                'accept',
                'no more connections can be accepted (%s); set wsgi_pool_size below the number '
                'of open files that this process may have (ulimit -n)',
                error.strerror,
            )
            # gevent would pause by itself, but not without a traceback each time
            self.stop_accepting()
            gevent.spawn_later(_PAUSE, self._resume)
            return None

    def _resume(self) -> None:
        if self.started:
            self.start_accepting()

    @contextmanager
    def idle(self, connection: HttpConnection) -> Iterator[None]:
        """Count `connection` as idle within the block, so that a drain may close it."""
        self._idle[connection] = None
        if self._ended:
            self._end_idle(connection)
        try:
            yield
        finally:
            self._idle.pop(connection, None)

    def finish(self, timeout: float) -> int:
        """Stop: accept no more, let answers end for up to `timeout` seconds, then cut the rest.

        A connection that was accepted and has had no request yet gets a moment to send it: its
        client knows nothing of the stop, and nobody else can serve it. Returns how many were cut.
        """
        patience = min(timeout, _FIRST_REQUEST)
        self._ended, self._patient = True, patience > 0
        self.close()
        for connection in list(self._idle):
            self._end_idle(connection)
        self.pool.join(patience)
        self._patient = False
        for connection in list(self._idle):
            self._end_idle(connection)
        self.pool.join(timeout - patience)
        cut = len(self.pool)
        kill_in_time(self.pool, _CUT_TIMEOUT)
        self.limited_log.close()
        return cut

    def _end_idle(self, connection: HttpConnection) -> None:
        if connection.served or not self._patient:
            connection.end()

    def _make_room(self) -> None:
        # the next client need not wait for the idle timeout of those that were answered
        answered = (connection for connection in self._idle if connection.served)
        oldest = next(answered, None)
        if oldest is not None:
            oldest.end()

    @staticmethod
    def _name(listener: socket.socket | tuple[str, int]) -> str:
        # given, or gevent would ask the DNS for it
        address = listener if isinstance(listener, tuple) else listener.getsockname()
        return in_brackets(str(address[0])) if isinstance(address, tuple) else ''
