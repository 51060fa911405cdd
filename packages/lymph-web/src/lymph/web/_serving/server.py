"""The HTTP server: keeps track of connections, answers their requests, and drains.

A keep-alive connection closes after its next answer in a drain; at the end at once, if it waits for
a request.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from werkzeug.exceptions import ServiceUnavailable

from lymph.core._loop.deadlines import Expirations
from lymph.core.addresses import in_brackets
from lymph.core.failures import Killed
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.web._answering.faults import ClientGone, ErrorAnswers
from lymph.web._http.connection import ANSWERING, HEAD
from lymph.web._http.dates import DateLine
from lymph.web._http.files import FileBody
from lymph.web._http.heads import Head
from lymph.web._http.limits import Limits
from lymph.web._http.splitting import HeadSplitter
from lymph.web._serving.accepting import HttpAcceptor
from lymph.web._serving.certificates import Certificates
from lymph.web._serving.cold_files import warm
from lymph.web._serving.dispatch import Dispatcher
from lymph.web._serving.error_log import ErrorLog
from lymph.web._serving.exchanges import Exchange
from lymph.web._serving.link import HttpLink
from lymph.web._serving.listening import ListeningSocket
from lymph.web._serving.turnstile import Turnstile
from lymph.web._serving.writing import TlsLayer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['WebServer']

logger = logging.getLogger(__name__)

#: Seconds that a connection which was just accepted has for its first request when the server ends.
_FIRST_REQUEST = 1.0
_CUT_TIMEOUT = 1.0  # seconds that requests which are cut get to close their resources
_RETRY_AFTER = 1  # seconds
_BUSY = 'All places for requests are taken. Try again later.'


def _never(_path: str) -> bool:
    return False


class WebServer:
    """Serves a WSGI application on a listening socket, which it closes at its end.

    `draining` returns whether answers close their connections; `faults` makes the answer when the
    application fails; `is_apart` tells whether requests for a path are answered outside of the
    pool; `certificates` make it HTTPS.
    """

    def __init__(
        self,
        listening: ListeningSocket,
        application: WSGIApplication,
        limits: Limits | None = None,
        draining: Callable[[], bool] = bool,
        faults: ErrorAnswers | None = None,
        is_apart: Callable[[str], bool] = _never,
        certificates: Certificates | None = None,
    ) -> None:
        self.application = application
        self.limits = limits or Limits()
        self.faults = faults or ErrorAnswers()
        self.limited_log = LimitedLog(logger)
        self.hub = gevent.get_hub()
        self.splitter = HeadSplitter(self.limits.max_headers)
        self.timers = Expirations()
        self.turnstile = Turnstile()
        self.date: Callable[[], str] = DateLine().line
        self.links: dict[HttpLink, None] = {}
        self.idle: dict[HttpLink, None] = {}
        #: the address that it listens at
        self.address: Any = listening.socket.getsockname()
        self.environ = self._base_environ(listening.shared)
        self._certificates = certificates
        self._draining = draining
        self._most = float('inf') if limits is None else limits.max_connections or float('inf')
        self._full = False  # whether connections wait to be accepted
        self._ended = False
        self._cut: set[HttpLink] = set()  # whose requests were cut
        self._patient = False  # with connections that have not had a request yet
        self._empty = Event()
        self._empty.set()
        self._acceptor: HttpAcceptor | None = HttpAcceptor(
            listening, self._accepted, self.limited_log, self._make_room
        )
        self._dispatcher = Dispatcher(
            self.limits,
            self.timers,
            self.limited_log,
            self._serve,
            self._refuse,
            is_apart,
            self.hub,
        )
        #: has a request of a link answered
        self.answer: Callable[[HttpLink, Head], None] = self._dispatcher.answer
        #: drops a request that waits for a place; returns whether there was one
        self.forget: Callable[[HttpLink], bool] = self._dispatcher.forget

    @property
    def server_port(self) -> int:
        """The port that it listens at; 0 for a Unix socket."""
        return int(self.address[1]) if isinstance(self.address, tuple) else 0

    def closing(self) -> bool:
        """Tell whether connections close after the answer that is on its way."""
        return self._ended or len(self.links) >= self._most or self._draining()

    @property
    def running(self) -> int:
        """How many requests are being answered, health checks beyond the pool aside."""
        return self._dispatcher.running

    @property
    def refused(self) -> int:
        """How many requests have got no place of `wsgi_pool_size`."""
        return self._dispatcher.refused

    @property
    def waiting(self) -> int:
        """How many requests wait for a place of `wsgi_pool_size`."""
        return self._dispatcher.waiting

    def start(self) -> None:
        """Accept connections from now on."""
        if self._acceptor is not None:
            self._acceptor.start()

    def serve(self, sock: socket.socket, address: Any, wire: TlsLayer | None = None) -> None:
        """Serve a connection that was accepted: a non-blocking socket, which is closed at its end.

        `wire` is its TLS, if any.
        """
        try:
            link = HttpLink(sock, address, self, wire)
        except BaseException:
            sock.close()
            raise
        self.links[link] = None
        self._empty.clear()
        if self._ended:
            link.stop(self._patient)
        elif len(self.links) >= self._most:
            self._make_room()
            if len(self.links) >= self._most and self._acceptor is not None:
                self._acceptor.pause()
                self._full = True

    def ended(self, link: HttpLink) -> None:
        """Forget a link that has closed."""
        self.forget(link)
        self.turnstile.forget(link)
        self.links.pop(link, None)
        if not self.links:
            self._empty.set()
        if self._full and self._acceptor is not None:
            self._full = False
            self._acceptor.resume()

    def finish(self, timeout: float, count: Callable[[int], object] = bool) -> int:
        """Stop: accept no more, let answers end for up to `timeout` seconds, then cut the rest.

        A connection that was accepted and has had no request yet gets a moment to send it: its
        client knows nothing of the stop, and nobody else can serve it. Returns how many requests
        this has cut, and passes the number to `count` before it waits for their end. A second call
        may interrupt the first one, and cuts what that waits for.
        """
        patience = min(timeout, _FIRST_REQUEST)
        self._ended, self._patient = True, patience > 0
        if self._acceptor is not None:
            if timeout > 0:
                self._acceptor.finish()
            else:
                self._acceptor.close()
            self._acceptor = None
        if self._certificates is not None:
            self._certificates.stop()
        self._stop_idle()
        self._empty.wait(patience)
        self._patient = False
        self._stop_idle()
        self._empty.wait(timeout - patience)
        requests = {link for link in self.links if link.connection.state in (ANSWERING, HEAD)}
        cut = len(requests - self._cut)
        self._cut |= requests
        count(cut)
        self._dispatcher.kill(_CUT_TIMEOUT)
        for link in list(self.links):
            link.close()
        self.timers.close()
        self.turnstile.close()
        self.limited_log.close()
        return cut

    def _stop_idle(self) -> None:
        for link in list(self.idle):
            link.stop(self._patient)

    def _make_room(self) -> None:
        """Close the connection that waits for a request the longest, after others."""
        # the next client need not wait for the idle timeout of those that were answered
        oldest = next((link for link in self.idle if link.connection.served), None)
        if oldest is not None:
            oldest.stop(patient=False)

    def _accepted(self, sock: socket.socket, address: Any) -> None:
        certificates = self._certificates
        self.serve(sock, address, None if certificates is None else certificates.layer())

    def _refuse(self, link: HttpLink, head: Head) -> None:
        """Answer a request for which there is no place. Runs in a worker."""
        self._serve(link, head, self._unavailable)

    def _unavailable(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        error = ServiceUnavailable(_BUSY, retry_after=_RETRY_AFTER)
        return self.faults.answer(error, environ)(environ, start)

    def _serve(
        self, link: HttpLink, head: Head, application: WSGIApplication | None = None
    ) -> None:
        """Answer a request by the application of the server, or another one. Runs in a worker."""
        reusable = False
        try:
            reusable = Exchange(link, head, self).run(application or self.application)
        except ClientGone as error:
            link.gone(error)
        except Killed:
            link.close()
            raise
        except BaseException as error:  # noqa: BLE001 - such as a handler's timeout that is late
            link.fail(error)
        else:
            link.answered(reusable)

    def _base_environ(self, shared: bool) -> dict[str, Any]:
        address = self.address
        is_tcp = isinstance(address, tuple)
        return {
            'GATEWAY_INTERFACE': 'CGI/1.1',
            'SCRIPT_NAME': '',
            'SERVER_NAME': in_brackets(str(address[0])) if is_tcp else 'localhost',
            'SERVER_PORT': str(address[1]) if is_tcp else '',
            'SERVER_SOFTWARE': 'lymph',
            'wsgi.errors': ErrorLog(logger),
            'wsgi.file_wrapper': partial(FileBody, warm=warm),
            'wsgi.input_terminated': True,
            'wsgi.multiprocess': shared,
            'wsgi.multithread': True,
            'wsgi.run_once': False,
            'wsgi.url_scheme': 'http',
            'wsgi.version': (1, 0),
        }
