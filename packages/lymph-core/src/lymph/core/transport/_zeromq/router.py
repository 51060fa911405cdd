"""A listener: a ROUTER, and the links of those who connected to it.

Theory: a ROUTER knows its peers by routing ids and tells nobody when one leaves; its monitor knows
connections by file descriptors. The two are brought together by the first message of a peer, which
carries the descriptor that it was read from:

- The monitor keeps `_open` true: the descriptors of connections that stand.
- A message with an unknown routing id makes a link for its descriptor, after the monitor has been
  drained; so a descriptor that was used before belongs to the link that came last.
- A descriptor that closes ends its link, once the messages that were read from it are delivered.
  A link whose descriptor is closed already when its first message is found ends in the same way.

So the table holds nothing that is not connected. A peer that never sends anything has no link.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import gevent
import zmq

from lymph.core.transport._zeromq.addresses import is_ipv6
from lymph.core.transport._zeromq.channel import SocketOwner
from lymph.core.transport._zeromq.context import Socket
from lymph.core.transport._zeromq.descriptors import close_inherited, inode_of, peer_of, shut_down
from lymph.core.transport._zeromq.exhaustion import DescriptorWatch
from lymph.core.transport._zeromq.link import Unfit, ZeromqLink, receive_frames
from lymph.core.transport._zeromq.monitor import ACCEPTED, DISCONNECTED, LISTENING, Monitor
from lymph.core.transport._zeromq.terms import Terms
from lymph.core.transport._zeromq.weighing import Weighed
from lymph.core.transport.base import LinkHandler, Listener
from lymph.core.transport.edge import Edge

__all__ = ['RouterListener']

_NOBLOCK, _SOURCE = int(zmq.NOBLOCK), int(zmq.SRCFD)
_GRACE = 0.1  # seconds for libzmq to write what it was given before a link is cut
_DRAINS = 50  # looks at a busy socket, for the last messages of a connection that has ended
_CLOSED_BY_PEER = 'closed by the peer'


class RouterLink(ZeromqLink):
    """The accepting side of a connection, known by its routing id.

    A ROUTER cannot stop to read from one peer. So one that asks and asks but does not read would
    soon keep all handlers waiting to answer it; it is hung up on before long.
    """

    patience = 1.0

    def __init__(
        self, id: bytes, descriptor: int, handler: LinkHandler, listener: RouterListener
    ) -> None:
        super().__init__(
            peer_of(descriptor) or f'{listener.endpoint} (a caller)',
            handler,
            listener.channel,
            listener.terms.max_message_size,
            listener.edge,
        )
        self.id = id
        self.descriptor = descriptor
        self._inode = inode_of(descriptor)
        self._listener = listener
        self._grace = gevent.get_hub().loop.timer(_GRACE)

    @property
    def connection(self) -> tuple[int, int | None]:
        """The descriptor of the connection, and its inode."""
        return self.descriptor, self._inode

    def close(self, reason: str = 'closed') -> None:
        """Take the link down and cut the connection a moment later.

        The link stays in the listener's table, deaf, until the monitor tells that this is done.
        """
        if self.down_reason is None:
            self.ended(reason)
            self._grace.start(self.cut)

    def cut(self) -> None:
        """End the connection, if it still stands."""
        self.release()
        self._listener.hang_up(self.descriptor, self._inode)

    def release(self) -> None:
        """Let go of the timer."""
        self._grace.stop()
        self._grace.close()

    def _try_send(self, frames: Sequence[bytes]) -> bool:
        return self._channel.send(self.id, frames)


class RouterListener(Listener):
    """Accepts links at an endpoint as libzmq writes it; `finished(listener)` is called at its end.

    Raises OSError.
    """

    def __init__(
        self,
        address: str,
        handler: LinkHandler,
        terms: Terms,
        edge: Edge,
        finished: Callable[[RouterListener], None],
    ) -> None:
        self.terms = terms
        self.edge = edge
        self._handler = handler
        self._finished = finished
        self._links: dict[bytes, RouterLink] = {}
        self._by_descriptor: dict[int, RouterLink] = {}
        self._leaving: dict[RouterLink, int] = {}  # link -> drains it still gets
        self._open: dict[int, int | None] = {}  # descriptors of connections, their inodes
        self._bound: tuple[int, int | None] = (-1, None)  # where connections are accepted
        self._listening, self._ended = True, False
        options = [
            *terms.listening(),
            (zmq.ROUTER_MANDATORY, 1),  # an error for peers that are gone, instead of silence
            (zmq.ROUTER_HANDOVER, 1),  # who comes back with its identity is not ignored
            (zmq.IPV6, is_ipv6(address)),
        ]
        try:
            self.channel = SocketOwner(
                address, int(zmq.ROUTER), options, edge, self._receive, self._drained
            )
            self._monitor = Monitor(address, self.channel.socket, edge, self._happened)
            self._bind(address)
        except zmq.ZMQError as error:
            raise OSError(error.errno, error.strerror, address) from error
        bound = cast(bytes, self.channel.socket.get(int(zmq.LAST_ENDPOINT)))
        self.endpoint = bound.decode()
        self.channel.name = self._monitor.name = self.endpoint
        self._descriptors = DescriptorWatch(self.endpoint, edge)
        self.channel.start()
        self._monitor.drain()

    @property
    def trouble(self) -> str | None:
        """Why nobody is accepted, or nothing received, at the moment."""
        return self.channel.trouble or self._descriptors.trouble

    def _bind(self, address: str) -> None:
        try:
            self.channel.socket.bind(address)
        except zmq.ZMQError:
            self._close_sockets()
            raise

    @property
    def weighed(self) -> Iterator[Weighed]:
        """The connections, to be weighed."""
        settled = self.channel.settled
        for descriptor, inode in list(self._open.items()):
            link = self._by_descriptor.get(descriptor)
            give_way = functools.partial(self._give_way, descriptor, inode)
            yield Weighed(descriptor, inode, link, settled, give_way)

    def close(self) -> None:
        """Accept no more links.

        libzmq cannot stop listening without ending all connections. So while there are some, the
        endpoint stays bound and newcomers are hung up on; it is free when the last one has left.
        """
        if self._listening:
            self._listening = False
            self._monitor.drain()
            self._end_if_unused()

    def end(self, reason: str) -> None:
        """Take all links down as well; what was sent on them still leaves."""
        self._listening, self._ended = False, True
        self._descriptors.close()
        self._close_sockets(self.terms.linger)
        for link in list(self._links.values()):
            self._remove(link, reason)
        self._finished(self)

    def abandon(self) -> None:
        """Leave the sockets to the parent, in a forked child."""
        for link in self._links.values():
            link.abandon()
        self._descriptors.close()
        self._monitor.abandon()
        self.channel.abandon()
        for descriptor, inode in (*self._open.items(), self._bound):
            close_inherited(descriptor, inode)

    def hang_up(self, descriptor: int, inode: int | None) -> None:
        """End a connection, if it still stands."""
        shut_down(descriptor, inode)

    def _source_of(self, id: bytes, frame: zmq.Frame) -> int | None:
        """Return the descriptor of the connection that a frame was read from.

        None when libzmq does not tell: peers of ZMTP 1.0 and 2.0 have no metadata.
        """
        try:
            return int(frame.get(_SOURCE))
        except zmq.ZMQError:
            return None

    def _receive(self, socket: Socket) -> None:
        id = socket.recv(_NOBLOCK)
        first = socket.recv(_NOBLOCK, False)
        frames: list[bytes] = []
        size, unfit = 0, ''
        try:
            frames, size = receive_frames(first, socket, self.terms.max_message_size)
        except Unfit as error:
            self.channel.skip_rest()
            unfit = str(error)
        link = self._links.get(id)
        # Ids that libzmq gave begin with a zero and are never given twice; others may come back,
        # and with them the very descriptor.
        if link is None or id[0]:
            source = self._source_of(id, first)
            if source is None:
                self._drop()
                return
            link = self._link_of(id, source)
        if link.down_reason is not None:
            return
        if unfit:
            link.close(unfit)
        else:
            link.arrived(frames, size)

    def _give_way(self, descriptor: int, inode: int | None, reason: str) -> None:
        """Hang up on a connection, which holds more of the memory of all than others."""
        link = self._by_descriptor.get(descriptor)
        if link is not None:
            link.give_way(reason)
        else:
            peer = peer_of(descriptor) or self.endpoint
            self.edge.log(logging.WARNING, 'max_buffered', '%s: closed; %s', peer, reason)
        self.hang_up(descriptor, inode)

    def _drop(self) -> None:
        """Count a message that belongs to no link: there would be no telling when its peer left."""
        self.dropped += 1
        text = '%s: dropped a message of a peer that does not speak ZMTP 3'
        self.edge.log(logging.WARNING, 'peers of ZMTP 2', text, self.endpoint)

    def _link_of(self, id: bytes, descriptor: int) -> RouterLink:
        """Return the link of a routing id on a connection, a new one if need be."""
        self._monitor.drain()
        link = self._links.get(id)
        # One that is leaving and whose descriptor is open has a successor there.
        stays = link is not None and (descriptor in self._open) == (link.leaving is None)
        if link is not None and link.descriptor == descriptor and stays:
            return link
        for old in (link, self._by_descriptor.get(descriptor)):
            if old is not None:
                self._remove(old, _CLOSED_BY_PEER)
        link = self._links[id] = self._by_descriptor[descriptor] = RouterLink(
            id, descriptor, self._handler, self
        )
        link.now_up()
        if descriptor not in self._open:
            self._leave(link)
        return link

    def _happened(self, event: int, descriptor: int) -> None:
        if event == ACCEPTED:
            inode = self._open[descriptor] = inode_of(descriptor)
            if not self._listening:
                self.hang_up(descriptor, inode)
        elif event == LISTENING:
            self._bound = descriptor, inode_of(descriptor)
        elif event == DISCONNECTED:
            self._open.pop(descriptor, None)
            link = self._by_descriptor.get(descriptor)
            if link is not None:
                self._leave(link)
                self.channel.drain()
            else:
                self._end_if_unused()

    def _drained(self, finished: bool) -> None:
        """End the links whose last messages have been delivered, or that got enough time."""
        for link, drains in list(self._leaving.items()):
            if finished or drains <= 1:
                self._remove(link, _CLOSED_BY_PEER)
            elif link in self._leaving:
                self._leaving[link] = drains - 1
        self._end_if_unused()

    def _leave(self, link: RouterLink) -> None:
        link.up = False
        link.leaving = _CLOSED_BY_PEER
        self._leaving[link] = _DRAINS

    def _remove(self, link: RouterLink, reason: str) -> None:
        if self._links.get(link.id) is link:
            del self._links[link.id]
        if self._by_descriptor.get(link.descriptor) is link:
            del self._by_descriptor[link.descriptor]
        self._leaving.pop(link, None)
        link.release()
        link.ended(reason)

    def _end_if_unused(self) -> None:
        if not self._listening and not self._links and not self._open and not self._ended:
            self.end('this side was closed')

    def _close_sockets(self, linger: int = 0) -> None:
        self._monitor.close()
        self.channel.close(linger)
