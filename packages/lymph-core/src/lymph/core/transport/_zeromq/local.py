"""``inproc://``: links within a process through libzmq's own queues.

libzmq's monitor does not report such connections, but both sides are in this process: the caller's
link tells the listener when it connects and disconnects, with a negative number instead of a
descriptor.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from typing import ClassVar

import gevent
import zmq

from lymph.core.transport._zeromq.dealer import DealerLink
from lymph.core.transport._zeromq.monitor import ACCEPTED, DISCONNECTED
from lymph.core.transport._zeromq.router import RouterListener
from lymph.core.transport._zeromq.terms import Terms
from lymph.core.transport.base import LinkHandler
from lymph.core.transport.edge import Edge

__all__ = ['LocalDealerLink', 'LocalListener']

_numbers = itertools.count(1)


class LocalListener(RouterListener):
    """Accepts links at an ``inproc://`` endpoint."""

    #: the listeners of this process by endpoint
    all: ClassVar[dict[str, LocalListener]] = {}

    def __init__(
        self,
        address: str,
        handler: LinkHandler,
        terms: Terms,
        edge: Edge,
        finished: Callable[[RouterListener], None],
    ) -> None:
        if address in self.all:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), address)
        self._callers: dict[int, LocalDealerLink] = {}
        super().__init__(address, handler, terms, edge, finished)
        self.all[address] = self

    def close(self) -> None:
        """Stop accepting links."""
        self.all.pop(self.endpoint, None)
        super().close()

    def end(self, reason: str) -> None:
        """Stop accepting links and take all links down."""
        self.all.pop(self.endpoint, None)
        super().end(reason)
        for number in list(self._callers):
            self.hang_up(number, None)

    def abandon(self) -> None:
        """In a forked child, stop using the sockets, and make the endpoint free again."""
        self.all.pop(self.endpoint, None)
        super().abandon()

    def hang_up(self, descriptor: int, inode: int | None) -> None:
        """End the connection of a caller."""
        caller = self._callers.get(descriptor)
        if caller is not None:
            gevent.get_hub().loop.run_callback(caller.leave, 'closed by the peer')

    def entered(self, caller: LocalDealerLink) -> None:
        """Add a caller that has connected."""
        self._callers[caller.number] = caller
        self._happened(ACCEPTED, caller.number)

    def left(self, caller: LocalDealerLink) -> None:
        """Remove a caller that has disconnected; may be called in any greenlet."""
        if self._callers.pop(caller.number, None) is not None:
            gevent.get_hub().loop.run_callback(self._happened, DISCONNECTED, caller.number)

    def _source_of(self, id: bytes, frame: zmq.Frame) -> int | None:
        number = id.rpartition(b'-')[2]
        return -int(number) if number.isdigit() else None


class LocalDealerLink(DealerLink):
    """The connecting side of an ``inproc://`` link."""

    def __init__(
        self,
        peer: str,
        handler: LinkHandler,
        terms: Terms,
        edge: Edge,
        closed: Callable[[DealerLink], None],
    ) -> None:
        super().__init__(peer, handler, terms, edge, closed)
        self.number = -next(_numbers)
        self._listener: LocalListener | None = None
        self._channel.socket.set(int(zmq.ROUTING_ID), b'inproc%d' % self.number)

    def open(self, *addresses: str) -> None:
        """Connect, and come up in the next turn of the loop."""
        (address,) = addresses
        listener = LocalListener.all.get(address)
        if listener is None:
            self.lost(f'connection failed: nobody listens at {address}')
            return
        super().open(address)
        self._listener = listener
        listener.entered(self)
        gevent.get_hub().loop.run_callback(self._begin_unless_lost)

    def lost(self, reason: str) -> None:
        """Take the link down and tell the listener."""
        super().lost(reason)
        if self._listener is not None:
            self._listener.left(self)

    def _begin_unless_lost(self) -> None:
        if self.down_reason is None:
            self.begin()
