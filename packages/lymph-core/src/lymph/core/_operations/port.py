"""The operations port of a container: its socket, its thread, and the end of both."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Any, Final

import gevent
from gevent import monkey

from lymph.config import ConfigurationError
from lymph.config.printable import printable
from lymph.core._operations.questions import LoopQuestions
from lymph.core._operations.routes import OperationsPaths
from lymph.core._operations.server import PortThread
from lymph.core._operations.settings import OperationsSettings
from lymph.core._operations.sources import OperationsSources
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.inherited import adopt, misdirected
from lymph.core._system.resolving import resolver
from lymph.core.addresses import join_address
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.monitoring.metrics import Counter
from lymph.core.monitoring.openmetrics import Page

__all__ = ['OperationsPort', 'open_port']

logger = logging.getLogger(__name__)

describe(
    'metrics.left_out',
    'counter',
    'Samples that were left out of a page for Prometheus, since it would have been invalid.',
)

_BACKLOG: Final = 128
_LOOK_UP: Final = 5.0  # seconds to look up a host name
_MOST_TOLD: Final = 1000  # metrics
_Socket: type[socket.socket] = monkey.get_original('socket', 'socket')


class OperationsPort:
    """Serves the operations port from now on, until `close`.

    Make and close it in the thread of its container. Raises ConfigurationError if the address
    cannot be listened at.
    """

    def __init__(self, settings: OperationsSettings, sources: OperationsSources) -> None:
        listening = _listen(settings)
        self._metrics = sources.metrics
        self._left_out = sources.metrics.add(Counter('metrics.left_out'))
        self._log = LimitedLog(logger)
        self._told: set[str] = set()  # metrics that the log names as left out
        self._spawn = sources.spawn
        self._loop = gevent.get_hub().loop
        self._closed = False
        host, port = listening.getsockname()[:2]
        #: where it listens, such as ``http://127.0.0.1:9090``
        self.address: Final = f'http://{join_address(host, port)}'
        self._questions = LoopQuestions(sources.spawn, self._wake)
        routes = OperationsPaths(settings, sources, self._questions, self._rendered)
        try:
            self._thread = PortThread(listening, routes.respond)
        except OSError:  # no descriptors are left
            listening.close()
            raise
        abandon_in_children(self)
        self._thread.start()

    def close(self) -> None:
        """Close the port and end its thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._thread.close():
            self._questions.close()  # which a thread that still runs might use
        self._metrics.remove(self._left_out)
        self._log.close()

    def abandon(self) -> None:
        """In a forked child, serve nothing: the port stays the parent's."""
        self._closed = True
        self._thread.abandon()

    def _wake(self) -> None:
        self._thread.wake()

    def _rendered(self, page: Page) -> None:
        """Note what is not on a page; called in the native thread."""
        if page.left_out:
            self._loop.run_callback_threadsafe(self._note, page)

    def _note(self, page: Page) -> None:
        if self._closed:
            return
        self._left_out += page.left_out
        new = {name: text for name, text in page.reasons.items() if name not in self._told}
        if new and len(self._told) < _MOST_TOLD:
            self._told.update(new)
            self._spawn(lambda: self._tell(new))

    def _tell(self, reasons: dict[str, str]) -> None:
        for name, reason in reasons.items():
            text = '%s is left out of the metrics for Prometheus: %s'
            self._log.write(logging.WARNING, 'left out', text, printable(name), printable(reason))


def open_port(settings: OperationsSettings, **sources: Any) -> OperationsPort:
    """Open the port of a container; `sources` are the fields of `OperationsSources`."""
    return OperationsPort(settings, OperationsSources(**sources))


def _listen(settings: OperationsSettings) -> socket.socket:
    """Return a listening socket, an inherited one if there is one for the address."""
    ip, port = settings.ip, settings.port
    try:
        return adopt(ip, port) or _bound(ip, port)
    except OSError as error:
        place = join_address(ip, port) if port else ip
        text = f'cannot listen at {place} for operations: {error.strerror or error}'
        raise ConfigurationError(f'{text}; {_advice(error)}', settings.where) from error


def _advice(error: OSError) -> str:
    if error.errno in (errno.EADDRINUSE, errno.EACCES) and not isinstance(error, socket.gaierror):
        return misdirected() or 'choose another port, or 0 for any free one'
    return 'set operations.ip to an address of this machine'


def _bound(ip: str, port: int) -> socket.socket:
    found = resolver().addresses(ip, port, _LOOK_UP)
    # as HTTP interfaces do: IPv4 comes first if a host name has both
    family, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    sock = _Socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
