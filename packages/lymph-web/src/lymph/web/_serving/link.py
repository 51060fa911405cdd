"""The socket of one connection: reads in chunks, writes whole answers, holds no greenlet.

A connection has one watcher, which reads as long as it lives. Reading pauses when an application
does not read what has arrived.

Nobody may hold up the loop: a client that sends or reads as fast as it can moves 64 KiB at most in
a turn of the loop.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from lymph.core._loop.turns import NextTurn
from lymph.core.addresses import join_address
from lymph.core.failures import error_line
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.exceptions import LymphError
from lymph.web._answering.faults import ClientGone
from lymph.web._http.connection import ANSWERING, CLOSED, IDLE, LINGERING, HttpConnection
from lymph.web._http.heads import Head, HeadError
from lymph.web._http.refusals import refusal
from lymph.web._http.splitting import HeadSplitter
from lymph.web._serving.turnstile import HANDSHAKE, READ, Turnstile
from lymph.web._serving.waiting import MOVED, NEVER
from lymph.web._serving.writing import TlsLayer, WritingHost, WritingLink

__all__ = ['HttpLink', 'LinkHost']

# Small enough that to take it apart, in whatever pieces, costs a few milliseconds.
_READ = 16 * 1024  # bytes
_AHEAD = 32 * 1024  # bytes that are read before an application asks for them
_LEFT = 64 * 1024  # bytes that are read at the end
_MAPPED = '::ffff:'  # before an IPv4 address in an IPv6 one


class LinkHost(WritingHost, Protocol):
    """What links need of their server."""

    limited_log: LimitedLog
    splitter: HeadSplitter
    turnstile: Turnstile
    #: links that wait for a request, in the order in which they became so
    idle: dict[HttpLink, None]

    def answer(self, link: HttpLink, head: Head) -> None:
        """Have a request answered, which ends with a call of `link.answered`. Runs in the hub."""

    def forget(self, link: HttpLink) -> bool:
        """Do not answer a request that waits for a place; return whether there was one."""

    def ended(self, link: HttpLink) -> None:
        """Handle that a link has closed."""


class HttpLink(WritingLink):
    """A non-blocking socket that was accepted from `address`, with TLS if there is a `wire`.

    It reads from now on, and closes the socket at the end. `send`, `send_file` and `fill` are for
    the worker that answers a request; all else runs in the hub.
    """

    __slots__ = (
        '_host',
        '_next_turn',
        '_on_end',
        '_paused',
        '_readable',
        '_state',
        'closed',
        'connection',
        'peer',
    )

    def __init__(
        self, sock: socket.socket, address: Any, host: LinkHost, wire: TlsLayer | None = None
    ) -> None:
        super().__init__(sock, host, wire)
        #: IP address and port of the client; None for a Unix socket
        self.peer = _peer(address) if isinstance(address, tuple) else None
        self.closed = False
        self.connection = HttpConnection(host.limits, host.splitter)
        self._host = host
        self._state: str = IDLE  # of the connection, when it was looked at last
        self._paused = False  # not read from, since nobody reads what has arrived
        self._on_end: Callable[[], None] | None = None  # for whoever answers at the moment
        self._next_turn: NextTurn | None = None
        self._readable = host.hub.loop.io(sock.fileno(), 1)
        self._readable.start(self._can_read)
        self._rest()

    @property
    def buffer(self) -> bytearray:
        """What has arrived of a body, and is not used yet."""
        return self.connection.buffer

    # Reading.

    def _can_read(self) -> None:
        """Read when it is this connection's turn. Runs in the hub."""
        cost = READ if self.wire is None or self.wire.ready else HANDSHAKE
        if self._host.turnstile.passes(self, cost):
            self._read()
        else:
            self._readable.stop()

    def go_on(self) -> None:
        """Do what had to wait for another turn of the loop. Runs in the hub."""
        self._take_buffered()
        if not (self.closed or self._paused or self.connection.ended or self._broken):
            self._readable.start(self._can_read)
            self._read()

    def _read(self) -> None:
        """Take what has arrived. Runs in the hub."""
        try:
            data = self.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._broke(error_line(error))
            return
        self._spent = 0
        if self.wire is not None and data:
            self._decrypt(self.wire, data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Let the connection have bytes, none at the end of what the client sends."""
        try:
            if data:
                head = self.connection.receive(data)
                if head is not None:
                    self._state = ANSWERING
                    self._deadline = NEVER
                    self._host.idle.pop(self, None)
                    self._host.answer(self, head)
                    return
            else:
                self._readable.stop()
                self.connection.end()
                self._tell_end()
            self._follow()
        except HeadError as error:
            self._refuse(error)
        except BaseException as error:  # noqa: BLE001 - the other connections go on
            self.fail(error)

    def _follow(self) -> None:
        """Do what follows from the state of the connection."""
        connection = self.connection
        state = connection.state
        if state is ANSWERING:
            if self._reading:
                self._wake(MOVED)
            elif len(connection.buffer) >= _AHEAD and not self._paused:
                self._paused = True
                self._readable.stop()
            return
        if state is CLOSED:
            self.close()
            return
        if self._paused and not connection.ended:
            self._paused = False
            self._readable.start(self._can_read)
        if state is self._state:
            return
        self._state = state
        if state is LINGERING:
            self._shut()
        if state is IDLE and connection.buffer:
            self._ask_next_turn()
        self._rest()

    def _rest(self) -> None:
        """Wait for the client, as long as the state allows."""
        if self._state is IDLE:
            self._host.idle[self] = None
        else:
            self._host.idle.pop(self, None)
        patience = self.connection.patience()
        deadline = NEVER if patience is None else time.monotonic() + patience
        if deadline < self._due:
            self._expire_at(deadline)
        else:
            self._deadline = deadline  # found out when the timer looks

    def answered(self, reusable: bool) -> None:
        """Go on after an answer; `reusable` tells whether another one can follow it."""
        if self.closed:
            return
        connection = self.connection
        connection.answered(reusable and self._broken is None)
        if connection.state is IDLE and not (connection.buffer or self._paused):
            self._state = IDLE  # as nearly always; `_follow` does the same
            self._rest()
        else:
            self._follow()

    def stop(self, patient: bool) -> None:
        """Close if no request is under way; with `patient`, not before the first request."""
        if self.connection.state is IDLE and not self.connection.ended:
            self._read()  # what has arrived already is answered
        if not self.closed:
            self.connection.stop(patient)
            if self.connection.state is CLOSED:
                self.close()

    def _ask_next_turn(self) -> None:
        if self._next_turn is None:
            self._next_turn = NextTurn(self._can_take_buffered)
        self._next_turn.ask()

    def _can_take_buffered(self) -> None:
        if self._host.turnstile.passes(self, READ):
            self._take_buffered()

    def _take_buffered(self) -> None:
        """Take a request that has arrived before the last one was answered."""
        if self.connection.state is IDLE and self.connection.buffer:
            data = bytes(self.connection.buffer)
            self.connection.buffer.clear()
            self._spent = 0
            self._take(data)

    def _decrypt(self, wire: TlsLayer, data: bytes) -> None:
        shaking = not wire.ready
        try:
            plain = wire.feed(data)
        except LymphError as error:
            self._fail_tls(wire, error)
            return
        if shaking:  # later it must not come between the parts of what a worker sends
            self._push(wire.outgoing())
        if plain:
            self._take(plain)
        if wire.ended and not self.closed and not self.connection.ended:
            self._take(b'')

    def _fail_tls(self, wire: TlsLayer, error: LymphError) -> None:
        self._log(logging.INFO, str(error))
        if self.connection.state is ANSWERING:
            self._broke(str(error))
            return
        self.wire = None  # what it has to say is said as it is
        self._push(wire.outgoing())
        if not self.closed:
            self.connection.give_up()
            self._follow()

    def _expired(self) -> None:
        try:
            self.connection.expire()
            self._follow()
        except HeadError as error:
            self._refuse(error)

    def _all_sent(self) -> None:
        if self._state is LINGERING:
            self._shut()

    # What a worker waits for.

    def fill(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for more bytes; return False if there will be none.

        Raises OSError, also when the time is over.
        """
        connection = self.connection
        before = len(connection.buffer)
        if connection.state is ANSWERING and not connection.ended:
            if self._paused:
                self._paused = False
                self._readable.start(self._can_read)
            self._wait(time.monotonic() + timeout, reading=True)
        return len(connection.buffer) > before

    def watch_end(self, on_end: Callable[[], None] | None) -> bool:
        """Call `on_end` in the hub when the client sends no more; None cancels this.

        Return False if it has ended already. It may have closed the connection, or still wait for
        its answer: TCP does not tell the one from the other.
        """
        self._on_end = on_end
        return not self.connection.ended

    # Closing.

    def _refuse(self, error: HeadError) -> None:
        self._log(logging.INFO, f'request refused: {error.status} {error}')
        answer = refusal(error)
        self._push(answer if self.wire is None else self.wire.wrap(answer))
        if not self.closed:
            self._follow()

    def _shut(self) -> None:
        """Tell the client that nothing follows."""
        if not self._unsent:
            with suppress(OSError):
                if self.wire is not None:
                    self.socket.send(self.wire.closing())
                self.socket.shutdown(socket.SHUT_WR)

    def _broke(self, reason: str) -> None:
        """Handle that the connection can carry nothing any more."""
        self._broken = reason
        self._readable.stop()
        if self.connection.state is not ANSWERING or self._host.forget(self):
            self.close()
            return
        self.connection.end()
        self._tell_end()
        if self._waiter is not None:
            self._wake(MOVED)

    def _tell_end(self) -> None:
        if self._on_end is not None:
            self._on_end()

    def gone(self, error: ClientGone) -> None:
        """Close after a client that does not take its answer."""
        self._log(logging.INFO, f'the client is gone: {error}')
        self.close()

    def fail(self, error: BaseException) -> None:
        """Close after an error of the server itself."""
        self._log(logging.ERROR, 'the connection failed', error)
        self.close()

    def close(self) -> None:
        """Close the socket, whatever is under way."""
        if self.closed:
            return
        self.closed = True
        # TLS must not say that nothing is missing of an answer that was cut
        whole = self.connection.state is CLOSED and self._broken is None and not self._unsent
        self._broken = self._broken or 'the connection is closed'
        self.connection.state = CLOSED
        self._readable.stop()
        self._readable.close()
        self._stop_writing()
        if self._next_turn is not None:
            self._next_turn.close()
        self._forget_deadline()
        self._host.idle.pop(self, None)
        with suppress(OSError):
            if self.wire is not None and whole:
                self.socket.send(self.wire.closing())
            self.socket.recv(_LEFT)  # what was not read would reset the connection
        self.socket.close()
        self._host.ended(self)
        if self._waiter is not None:
            self._host.hub.loop.run_callback(self._release)

    def _log(self, level: int, text: str, error: BaseException | None = None) -> None:
        peer = self.peer
        client = 'a client' if peer is None else join_address(peer[0], int(peer[1]))
        cause = client if peer is None else peer[0]
        self._host.limited_log.write(level, cause, '%s: %s', client, text, exc_info=error)


def _peer(address: tuple[Any, ...]) -> tuple[str, str]:
    """Return IP address and port; an IPv4 client of an IPv6 socket has its IPv4 address."""
    host = str(address[0])
    if host.startswith(_MAPPED) and '.' in host:
        host = host.removeprefix(_MAPPED)
    return host, str(address[1])
