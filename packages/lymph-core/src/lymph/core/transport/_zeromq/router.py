"""A listener: a ROUTER, and the links of the peers that have connected to it.

Theory: a ROUTER identifies its peers by routing ids and does not report when one disconnects; its
monitor reports connections by file descriptors. The first message of a peer, which has the
descriptor that it was read from as metadata, connects the two:

- The events of the monitor keep `_open` up to date: the descriptors of open connections.
- A message with an unknown routing id makes a link for its descriptor, after the monitor has been
  drained. So a descriptor that was used before belongs to the newest link.
- When a descriptor is closed, its link ends once the messages that were read from it have been
  delivered. If it is closed already when the first message is received, the link ends in the same
  way.

So the tables contain only connected peers. A peer that never sends anything has no link.
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
_GRACE = 0.1  # seconds that libzmq has to write queued messages before a connection is cut
_DRAINS = 50  # drains of a busy socket to receive the last messages of a closed connection
_CLOSED_BY_PEER = 'closed by the peer'


class RouterLink(ZeromqLink):
    """The accepting side of a connection, identified by its routing id.

    A ROUTER cannot stop reading from one peer. A peer that keeps sending requests but does not read
    would soon make all handlers wait to answer it, so it is disconnected after `patience` seconds.
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

        The link stays in the listener's table, ignoring messages, until the monitor reports the end
        of the connection.
        """
        if self.down_reason is None:
            self.ended(reason)
            self._grace.start(self.cut)

    def cut(self) -> None:
        """End the connection, if it is still open."""
        self.release()
        self._listener.hang_up(self.descriptor, self._inode)

    def release(self) -> None:
        """Free the timer."""
        self._grace.stop()
        self._grace.close()

    def _try_send(self, frames: Sequence[bytes]) -> bool:
        return self._channel.send(self.id, frames)


class RouterListener(Listener):
    """Accepts links at an endpoint in libzmq's form.

    `finished(listener)` is called when the listener and all its links have ended. Raises OSError if
    the endpoint cannot be listened at.
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
        self._leaving: dict[RouterLink, int] = {}  # link -> drains before it is removed
        self._open: dict[int, int | None] = {}  # descriptor -> inode of open connections
        self._bound: tuple[int, int | None] = (-1, None)  # descriptor and inode of the listener
        self._listening, self._ended = True, False
        options = [
            *terms.listening(),
            (zmq.ROUTER_MANDATORY, 1),  # sending to a disconnected peer is an error
            (zmq.ROUTER_HANDOVER, 1),  # a peer that reconnects with its identity is not ignored
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
        """Why nothing is accepted or received at the moment; None if all is well."""
        return self.channel.trouble or self._descriptors.trouble

    def _bind(self, address: str) -> None:
        try:
            self.channel.socket.bind(address)
        except zmq.ZMQError:
            self._close_sockets()
            raise

    @property
    def weighed(self) -> Iterator[Weighed]:
        """The open connections, for `Weighing`."""
        settled = self.channel.settled
        for descriptor, inode in list(self._open.items()):
            link = self._by_descriptor.get(descriptor)
            give_way = functools.partial(self._give_way, descriptor, inode)
            yield Weighed(descriptor, inode, link, settled, give_way)

    def close(self) -> None:
        """Stop accepting links.

        libzmq cannot stop listening without ending all connections. So while there are connections,
        the endpoint stays bound and new ones are closed at once; it is freed with the last one.
        """
        if self._listening:
            self._listening = False
            self._monitor.drain()
            self._end_if_unused()

    def end(self, reason: str) -> None:
        """Stop accepting and take all links down; messages sent before still leave."""
        self._listening, self._ended = False, True
        self._descriptors.close()
        self._close_sockets(self.terms.linger)
        for link in list(self._links.values()):
            self._remove(link, reason)
        self._finished(self)

    def abandon(self) -> None:
        """In a forked child, stop using the sockets; they stay the parent's."""
        for link in self._links.values():
            link.abandon()
        self._descriptors.close()
        self._monitor.abandon()
        self.channel.abandon()
        for descriptor, inode in (*self._open.items(), self._bound):
            close_inherited(descriptor, inode)

    def hang_up(self, descriptor: int, inode: int | None) -> None:
        """End a connection, if it is still open."""
        shut_down(descriptor, inode)

    def _source_of(self, id: bytes, frame: zmq.Frame) -> int | None:
        """Return the descriptor of the connection that a frame was read from.

        None if libzmq does not know it: peers with ZMTP 1.0 or 2.0 have no metadata.
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
        # Ids that libzmq has made begin with a zero and are never reused. Ids that peers have
        # chosen may come back, even with the same descriptor.
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
        """End a connection because it is the greediest one; see `Buffers`."""
        link = self._by_descriptor.get(descriptor)
        if link is not None:
            link.give_way(reason)
        else:
            peer = peer_of(descriptor) or self.endpoint
            self.edge.log(logging.WARNING, 'max_buffered', '%s: closed; %s', peer, reason)
        self.hang_up(descriptor, inode)

    def _drop(self) -> None:
        """Count a message without a descriptor: the end of its connection would go unnoticed."""
        self.dropped += 1
        text = '%s: dropped a message of a peer that does not speak ZMTP 3'
        self.edge.log(logging.WARNING, 'peers of ZMTP 2', text, self.endpoint)

    def _link_of(self, id: bytes, descriptor: int) -> RouterLink:
        """Return the link of a routing id on a connection; make one if there is none."""
        self._monitor.drain()
        link = self._links.get(id)
        # a link that is leaving although its descriptor is open has been replaced by a new peer
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
        """Remove the leaving links whose last messages are delivered, or that had enough drains."""
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
