"""An outgoing link: a DEALER with one connection, which never reconnects.

libzmq reconnects by default; here it gets so long an interval that it never does. With an interval
of -1 (never), or with `IMMEDIATE` (queue nothing without a connection, which `Link.up` ensures
here), libzmq would drop received messages that were not read yet when a connection ends: the last
replies of a service that stops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import gevent
import zmq

from lymph.core.transport._zeromq.addresses import is_ipv6
from lymph.core.transport._zeromq.channel import SocketOwner
from lymph.core.transport._zeromq.context import Socket
from lymph.core.transport._zeromq.descriptors import close_inherited, inode_of
from lymph.core.transport._zeromq.link import Unfit, ZeromqLink, receive_frames
from lymph.core.transport._zeromq.monitor import (
    CLOSED,
    CONNECTED,
    DISCONNECTED,
    HANDSHAKE_FAILED,
    HANDSHAKE_SUCCEEDED,
    Monitor,
)
from lymph.core.transport._zeromq.terms import Terms
from lymph.core.transport._zeromq.weighing import Weighed
from lymph.core.transport.base import LinkHandler
from lymph.core.transport.edge import Edge

__all__ = ['DealerLink']

_NOBLOCK = int(zmq.NOBLOCK)
_NEVER = 2**31 - 1  # milliseconds, 24 days; links are closed as soon as their connection is gone


class DealerLink(ZeromqLink):
    """The connecting side of a connection.

    `closed(link)` is called once when the link is down, so that its owner can forget it.
    """

    def __init__(
        self,
        peer: str,
        handler: LinkHandler,
        terms: Terms,
        edge: Edge,
        closed: Callable[[DealerLink], None],
    ) -> None:
        options = [*terms.connecting(), (zmq.RECONNECT_IVL, _NEVER)]
        channel = SocketOwner(peer, int(zmq.DEALER), options, edge, self._receive, self._drained)
        super().__init__(peer, handler, channel, terms.max_message_size, edge)
        self._terms = terms
        self._closed = closed
        self._connection: tuple[int, int | None] = (-1, None)  # its descriptor, its inode
        self._trying = ''
        self._untried: list[str] = []  # further addresses of the host
        self._monitor = Monitor(peer, channel.socket, edge, self._happened)
        self._deadline = gevent.get_hub().loop.timer(terms.patience)
        self._deadline.start(self.lost, f'connection failed: not up within {terms.patience:g} s')

    def open(self, *addresses: str) -> None:
        """Begin to connect to endpoints in libzmq's form, with numeric hosts.

        Several addresses belong to one host: they are tried in turn and share the timeout.
        """
        self._share = self._terms.for_each(len(addresses))
        self._untried = list(addresses)
        if self.down_reason is None:
            self._try_next()

    @property
    def weighed(self) -> Weighed:
        """The connection, for `Weighing`."""
        return Weighed(*self._connection, self, self._channel.settled, self.give_way)

    @property
    def connection(self) -> tuple[int, int | None]:
        """The descriptor of the connection, and its inode."""
        return self._connection

    def close(self, reason: str = 'closed') -> None:
        """Take the link down; messages sent before still leave, unless the peer does not read."""
        self.lost(reason)

    def lost(self, reason: str) -> None:
        """Take the link down."""
        if self.down_reason is None:
            self._deadline.stop()
            self._deadline.close()
            self._monitor.close()
            self._channel.close(self._terms.linger if self.up else 0)
            self._closed(self)
            self.ended(reason)

    def begin(self) -> None:
        """Come up: start sending and receiving."""
        self._deadline.stop()
        self.now_up()
        self._channel.start()

    def leave(self, reason: str) -> None:
        """Take the link down when all received messages have been delivered."""
        if self.down_reason is None:
            self.up = False
            self.leaving = reason
            self._channel.drain()

    def abandon(self) -> None:
        """In a forked child, stop using the sockets; they stay the parent's."""
        if self.down_reason is None:
            super().abandon()
            self._deadline.stop()
            self._monitor.abandon()
            self._channel.abandon()
            close_inherited(*self._connection)

    def _try_next(self) -> None:
        socket = self._channel.socket
        if self._trying:
            with suppress(zmq.ZMQError):  # libzmq may have given up the connection itself
                socket.disconnect(self._trying)
        self._trying = self._untried.pop(0)
        self.stage = 'the TCP connection'
        try:
            socket.set(int(zmq.IPV6), is_ipv6(self._trying))
            socket.set(int(zmq.CONNECT_TIMEOUT), self._share)
            socket.connect(self._trying)
        except zmq.ZMQError as error:
            self._failed(error.strerror)

    def _failed(self, reason: str) -> None:
        if self._untried:
            self._try_next()
        else:
            self.lost(f'connection failed: {reason}')

    def _try_send(self, frames: Sequence[bytes]) -> bool:
        return self._channel.send(frames[0], frames[1:])

    def _receive(self, socket: Socket) -> None:
        first = socket.recv(_NOBLOCK, False)
        try:
            frames, size = receive_frames(first, socket, self._limit)
        except Unfit as error:
            self._channel.skip_rest()
            self.lost(str(error))
        else:
            self.arrived(frames, size)

    def _drained(self, finished: bool) -> None:
        if finished and self.leaving is not None:
            self.lost(self.leaving)

    def _happened(self, event: int, descriptor: int) -> None:
        if event == CONNECTED:
            self.stage = 'the ZMTP handshake'
            self._connection = descriptor, inode_of(descriptor)
        elif event == HANDSHAKE_SUCCEEDED:
            self.begin()
        elif event in HANDSHAKE_FAILED:
            self.lost('connection failed: the peer is no ROUTER of ZMTP 3 with the NULL mechanism')
        elif event == DISCONNECTED and self.up:
            self.leave('closed by the peer')  # after what has arrived is delivered
        elif event in (DISCONNECTED, CLOSED) and self.leaving is None:
            # it was never up: try the next address of the host, if there is one
            self._failed('nobody listens, or the peer hung up')
