"""Accepting connections in the hub, without a greenlet.

======  ===============================  =====================================================
state   begins with                      what happens to new connections
======  ===============================  =====================================================
OPEN    `start`, `resume`                accepted
PAUSED  `pause`, until `resume`          wait in the kernel
        no descriptors or memory,        the same; one line of log
        for 0.1 s
ENDED   `finish` or `close`              as the table of `lymph.web._serving.listening` says
======  ===============================  =====================================================

A listening socket stays readable while a connection waits: an `accept` that fails for lack of
descriptors would be tried again at once, for ever, without the pause. From a shared socket, one
connection is accepted in a turn of the loop, so that a process which is less busy gets the next.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

import gevent

from lymph.core.failures import Killed, error_line
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.web._serving.listening import ListeningSocket

__all__ = ['HttpAcceptor']

_PER_TURN = 32  # connections; then those that are open already get their turn
_MOST_AT_END = 4096  # connections: the longest queue of a socket
_PAUSE = 0.1  # seconds
_READ = 1  # libev: EV_READ
# Descriptors or memory of the process or the machine are used up; they may be free again soon.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# The socket itself is at its end: closed, or shut down by a process that shares it.
_FATAL = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)


class HttpAcceptor:
    """Passes new connections to `serve(sock, address)`: plain, non-blocking sockets.

    `serve` runs in the hub and must not wait. `address` is what `accept` returns: of TCP a tuple
    with IP address and port, of unix sockets text, mostly empty. `make_room` is called when the
    descriptors of the process are used up; it may close idle connections.
    """

    def __init__(
        self,
        listening: ListeningSocket,
        serve: Callable[[socket.socket, Any], object],
        log: LimitedLog,
        make_room: Callable[[], object] = bool,
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._log = log
        self._make_room = make_room
        self._per_turn = 1 if listening.shared else _PER_TURN
        self._paused = self._exhausted = self._ended = False
        loop = gevent.get_hub().loop
        self._readable = loop.io(listening.socket.fileno(), _READ)
        self._retry = loop.timer(_PAUSE)

    def start(self) -> None:
        """Accept connections from now on."""
        self._readable.start(self._accept)

    def pause(self) -> None:
        """Leave new connections waiting in the kernel, until `resume`."""
        self._paused = True
        self._readable.stop()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        self._go_on()

    def finish(self) -> None:
        """Accept no new connections, and close the socket, so that no client sees a reset.

        Those that nobody else can accept are accepted, even if `pause` was called. This may take up
        to a second for a socket whose port other processes share.
        """
        if self._ended:
            return
        try:
            if not self._listening.shared:
                self._listening.turn_away()
                self._accept_all()
        finally:
            self.close()

    def close(self) -> None:
        """Close the socket at once, also while `finish` waits. May be called again."""
        if self._ended:
            return
        self._ended = True
        for watcher in (self._readable, self._retry):
            watcher.stop()
            watcher.close()
        self._listening.close()

    def _accept(self) -> None:
        """Accept what waits, up to a fair number. Runs in the hub; never raises."""
        for _ in range(self._per_turn):
            if self._paused or self._ended or not self._accept_one():
                return

    def _accept_all(self) -> None:
        for _ in range(_MOST_AT_END):
            if self._ended or not self._accept_one():
                return

    def _accept_one(self) -> bool:
        """Accept a connection; return whether another one may follow."""
        try:
            sock, address = self._listening.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            return self._failed(error)
        except BaseException as error:  # noqa: BLE001 - MemoryError, for one
            return self._failed(OSError(errno.ENOMEM, error_line(error)))
        try:
            self._serve(sock, address)
        except BaseException as error:
            sock.close()
            if isinstance(error, Killed):
                raise
            self._log.write(
                logging.ERROR, 'serve', 'a connection could not be served', exc_info=error
            )
        return True  # the next one may succeed

    def _failed(self, error: OSError) -> bool:
        if error.errno in _EXHAUSTED:
            self._log.write(
                logging.ERROR,
                'accept',
                'no more connections can be accepted (%s); set max_connections below the number '
                'of open files that this process may have (ulimit -n)',
                error.strerror,
            )
            if not self._ended:
                self._exhausted = True
                self._readable.stop()
                self._retry.start(self._try_again)
            self._make_room()
            return False
        if error.errno in _FATAL:
            self._log.write(
                logging.ERROR, 'accept', 'no more connections are accepted: %s', error_line(error)
            )
            self._readable.stop()
            return False
        return True  # of a connection that has ended already (accept(2), "Error handling")

    def _try_again(self) -> None:
        self._retry.stop()
        self._exhausted = False
        self._go_on()

    def _go_on(self) -> None:
        if not (self._paused or self._exhausted or self._ended):
            self._readable.start(self._accept)
