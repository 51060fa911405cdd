"""A libzmq socket in gevent's loop, read and written without waiting.

Theory: the descriptor of a libzmq socket is edge-triggered: it becomes readable when the state of
the socket has changed, and any call into the socket may clear that signal. So the socket is checked
again after everything that was received or sent: at the end of a drain, or once in the turn of the
loop in which something was sent. Only libzmq's own methods are used, with plain integers: the
Python layers above them and the arithmetic of enumerations would cost more than all the rest.

No exception may leave a check of the socket, because the signal would be lost: the error is logged,
and the socket is checked again, at once after a first error and after growing pauses later.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import cast

import gevent
import zmq
from gevent.event import Event

from lymph.core._loop.turns import NextTurn
from lymph.core.failures import error_line
from lymph.core.transport._zeromq.context import Socket, shared_context
from lymph.core.transport.edge import Edge

__all__ = ['SocketOwner', 'Unroutable', 'descriptor_of']

logger = logging.getLogger(__name__)

_NOBLOCK, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS, _POLLIN, _RCVMORE = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.RCVMORE)
_TURN = 0.01  # seconds for which messages are received in one turn of the loop
_PER_LOOK = 50  # messages between two readings of the clock
_SKIPPED_PER_TURN = 10_000  # frames of a rejected message
_RETRIES = (0.0, 0.01, 0.1, 1.0)  # seconds before a check that follows one, two, ... failures
# Seconds after which a waiting sender tries again by itself: libzmq signals that some peer of a
# ROUTER has room again, but not which one, and the attempt of another sender may clear the signal.
_RETRY = 0.1


class Unroutable(Exception):
    """A ROUTER does not know the peer, or does not know it any more."""


def descriptor_of(socket: Socket) -> int:
    """Return the descriptor that becomes readable when the state of a socket has changed."""
    return cast(int, socket.get(int(zmq.FD)))


def _nothing(socket: Socket) -> None:
    raise zmq.Again


class SocketOwner:
    """Owns a socket of type `kind`; raises `zmq.ZMQError` if it cannot be created.

    `receive(socket)` is called in the hub; it must receive one message, and raise `zmq.Again` if
    there is none. `drained(finished)` is called after each check; `finished` tells whether all
    messages have been received.
    """

    def __init__(
        self,
        name: str,
        kind: int,
        options: Sequence[tuple[int, int | bytes]],
        edge: Edge,
        receive: Callable[[Socket], None],
        drained: Callable[[bool], None] | None = None,
    ) -> None:
        self.socket = Socket(shared_context(), kind)
        for option, value in options:
            self.socket.set(int(option), value)
        #: the name of the socket in logs
        self.name = name
        #: why nothing is received at the moment; None if it is
        self.trouble: str | None = None
        self._edge = edge
        self._receive = receive
        self._drained = drained
        self._room = Event()
        self._waiting = False  # whether senders wait for room
        self._closed = False
        self._scheduled = False  # whether a check will run at the end of this turn of the loop
        self._draining = False
        self._skipping = False  # whether frames of a rejected message are still to be received
        self._failures = 0  # consecutive checks that failed
        self._loop = gevent.get_hub().loop
        self._readable = self._loop.io(descriptor_of(self.socket), 1)
        self._retry = self._loop.timer(0)
        self._next_turn = NextTurn(self.drain)

    def start(self) -> None:
        """Start receiving."""
        self._readable.start(self.drain)
        self._look_later()

    def send(self, first: bytes, rest: Sequence[bytes]) -> bool:
        """Send a message and return True; return False if there is no room for it.

        Raises Unroutable if a ROUTER does not know the peer.
        """
        send = self.socket.send
        try:
            if not rest:
                send(first, _NOBLOCK)
            else:
                send(first, _MORE)
                self._send_rest(rest)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == errno.EHOSTUNREACH:
                raise Unroutable from error
            raise
        finally:  # a failed attempt may have cleared the signal as well
            if not self._scheduled and not self._draining:
                self._look_later()
        return True

    @property
    def settled(self) -> bool:
        """Whether all complete messages have been received."""
        try:
            return self._closed or not self._readable_now()
        except zmq.ZMQError:
            return False
        finally:  # the check may have cleared the signal
            self._look_later()

    def wait_for_room(self) -> None:
        """Wait until sending may succeed. Must not be called in the hub."""
        room = self._room
        self._waiting = True
        room.wait(_RETRY)

    def drain(self) -> None:
        """Receive messages, up to a fair number in one turn. Runs in the hub. Never raises."""
        if self._draining or self._closed:
            return
        self._draining = True
        try:
            finished = self._receive_some()
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._failed(error)
            return
        finally:
            self._draining = False
        self._seen(finished)

    def skip_rest(self) -> None:
        """Drop the remaining frames of the current message."""
        self._skipping = True

    def close(self, linger: int = 0) -> None:
        """Close the socket; libzmq goes on sending what it has queued for up to `linger` ms."""
        if not self._closed:
            self.abandon()
            self.socket.close(linger)
            self._let_senders_try()
            self._receive, self._drained = _nothing, None  # so that the link can be freed

    def abandon(self) -> None:
        """Stop using the socket, without closing it."""
        self._closed = True
        self._readable.stop()
        self._readable.close()
        self._retry.stop()
        self._retry.close()
        self._next_turn.close()

    def _receive_some(self) -> bool:
        """Receive messages for up to `_TURN` seconds; return whether all were received."""
        receive, socket = self._receive, self.socket
        received, ends = 0, 0.0
        while True:
            if self._skipping and not self._skip_some():
                return False
            try:
                receive(socket)
            except zmq.Again:
                return True
            if self._closed:
                return True
            received += 1
            # after a single message, checking costs less than the exception of another `recv`
            if received == 1 and not self._readable_now():
                return True
            if received % _PER_LOOK == 0:
                now = monotonic()
                ends = ends or now + _TURN
                if now >= ends:
                    return False

    def _skip_some(self) -> bool:
        """Drop frames of the current message; return whether all have been dropped."""
        socket = self.socket
        for _ in range(_SKIPPED_PER_TURN):
            if not socket.get(_RCVMORE):
                self._skipping = False
                return True
            socket.recv(_NOBLOCK)
        return False

    def _readable_now(self) -> bool:
        return bool(cast(int, self.socket.get(_EVENTS)) & _POLLIN)

    def _look_later(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.run_callback(self._look)

    def _look(self) -> None:
        self._scheduled = False
        if self._closed:
            return
        try:
            readable = self._skipping or self._readable_now()
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._failed(error)
            return
        if readable:
            self.drain()
        else:
            self._seen(True)

    def _seen(self, finished: bool) -> None:
        """Handle a successful check of the socket: call `drained`, wake waiting senders."""
        if self._failures:
            self._failures = 0
            if self.trouble is not None:
                self.trouble = None
                self._edge.turn(logging.WARNING, '%s receives again', self.name)
        if not finished:
            self._next_turn.ask()
        try:
            if self._drained is not None:
                self._drained(finished)
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._edge.loop_failed(self.name, error)
        if self._waiting:
            self._let_senders_try()

    def _failed(self, error: BaseException) -> None:
        """Handle a failed check of the socket: log the error and schedule another check."""
        self._skipping = True  # it may have failed in the middle of a message
        delay = _RETRIES[min(self._failures, len(_RETRIES) - 1)]
        self._failures += 1
        self._edge.loop_failed(self.name, error)
        if self._closed:
            return
        if not delay:
            self._look_later()
            return
        if self.trouble is None:
            text = '%s stands still: %s; it is tried again'
            self._edge.turn(logging.ERROR, text, self.name, error_line(error))
        self.trouble = error_line(error)
        self._retry.stop()
        self._retry.close()
        self._retry = self._loop.timer(delay)
        self._retry.start(self._look)

    def _send_rest(self, parts: Sequence[bytes]) -> None:
        send = self.socket.send
        try:
            for part in parts[:-1]:
                send(part, _MORE)
            send(parts[-1], _NOBLOCK)
        except zmq.Again:
            # Room is counted in whole messages, so the connection has ended within this one: libzmq
            # has dropped the message, and the monitor is about to report the end.
            logger.debug('a message was lost with its connection')

    def _let_senders_try(self) -> None:
        room, self._room = self._room, Event()
        self._waiting = False
        room.set()
