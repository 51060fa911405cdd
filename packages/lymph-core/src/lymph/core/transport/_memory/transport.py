"""Listeners and links within one process."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import ClassVar

from lymph.core.transport._memory.link import MemoryLink, Side
from lymph.core.transport._memory.network import SCHEME, Cuttable, MemoryNetwork
from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_UNRESPONSIVE_TIMEOUT,
    Link,
    LinkHandler,
    Listener,
    Transport,
)
from lymph.core.transport.edge import Edge

__all__ = ['MemoryTransport']

logger = logging.getLogger(__name__)


class MemoryListener(Listener):
    """Accepts links at its endpoint; `close` calls `closed(listener)` for its owner."""

    def __init__(
        self,
        endpoint: str,
        side: Side,
        handler: LinkHandler,
        closed: Callable[[MemoryListener], None],
    ) -> None:
        self.endpoint = endpoint
        self._side = side
        self._handler = handler
        self._closed = closed
        side.network.listeners[endpoint] = self

    def accept(self, link: Cuttable) -> None:
        """Make the other end of a caller's link."""
        assert isinstance(link, MemoryLink)
        link.join(MemoryLink('memory://caller', self._side, self._handler))

    def close(self) -> None:
        """Stop accepting links."""
        if self._side.network.listeners.get(self.endpoint) is self:
            del self._side.network.listeners[self.endpoint]
            self._closed(self)


class MemoryTransport(Transport):
    """Links within one process."""

    schemes = ('memory',)
    #: the network of transports that are not given one
    shared_network: ClassVar[MemoryNetwork] = MemoryNetwork()

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        unresponsive_timeout: float = DEFAULT_UNRESPONSIVE_TIMEOUT,
        *,
        max_buffered: int | None = None,
        network: MemoryNetwork | None = None,
    ) -> None:
        super().__init__(max_message_size, unresponsive_timeout, max_buffered=max_buffered)
        self.network = self.shared_network if network is None else network
        self._side = Side(self.network, max_message_size, Edge(logger))
        self._listeners: set[MemoryListener] = set()

    def address(self, ip: str, port: int) -> str:
        """Return ``memory://``; `listen` then makes a unique name."""
        return SCHEME

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at ``memory://name``; raises OSError for a name that is taken."""
        endpoint = self._checked(endpoint)
        if endpoint == SCHEME:
            endpoint = self.network.new_endpoint()
        if endpoint in self.network.listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), endpoint)
        listener = MemoryListener(endpoint, self._side, handler, self._listeners.discard)
        self._listeners.add(listener)
        return listener

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin to connect to ``memory://name``; see `Transport.connect`."""
        link = MemoryLink(self._checked(endpoint), self._side, handler)
        listener = self.network.listeners.get(endpoint)
        if listener is None:
            link.lost(f'connection failed: nobody listens at {endpoint}')
        else:
            listener.accept(link)
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        for listener in list(self._listeners):
            listener.close()
        for link in list(self._side.links):
            link.close('this side was closed')
        self._side.edge.close()

    @staticmethod
    def _checked(endpoint: str) -> str:
        if not endpoint.startswith(SCHEME):
            raise ValueError(f'expected an endpoint like memory://name, found {endpoint!r}')
        return endpoint
