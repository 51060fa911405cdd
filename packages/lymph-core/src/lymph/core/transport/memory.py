"""The transport `memory`: links within one process, with faults on demand.

Tests run the whole stack on it. Endpoints are ``memory://name``; a listener at ``memory://`` gets a
name of its own. Containers meet on a `MemoryNetwork`; those that are given none share one.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import gevent

from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    Link,
    LinkDown,
    LinkHandler,
    Listener,
    Transport,
)

__all__ = ['Faults', 'MemoryNetwork', 'MemoryTransport']

_SCHEME = 'memory://'


@dataclass
class Faults:
    """What happens to messages: chances from 0 to 1, delays in seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # chance that a message is overtaken by those of the next 10 ms
    delay: float = 0.0
    chance: random.Random = field(default_factory=random.Random)

    def plan(self) -> list[float]:
        """Return the delays after which copies of a message arrive; none when it is dropped."""
        if self.chance.random() < self.drop:
            return []
        copies = 2 if self.chance.random() < self.duplicate else 1
        late = 0.01 if self.chance.random() < self.reorder else 0.0
        return [self.delay + late] * copies


class MemoryNetwork:
    """Where the listeners of one process are found by name."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults
        self.listeners: dict[str, MemoryListener] = {}
        self.links: set[MemoryLink] = set()
        self._names = itertools.count(1)

    def new_name(self) -> str:
        """Return a name that no listener has."""
        return next(n for n in map(str, self._names) if _SCHEME + n not in self.listeners)

    def cut(self, endpoint: str | None = None) -> None:
        """Take down all links to `endpoint`, or all there are."""
        for link in list(self.links):
            if endpoint in (None, link.peer):
                link.close('cut')


class MemoryLink(Link):
    """One end; `other` is the other one."""

    other: MemoryLink

    def __init__(self, peer: str, network: MemoryNetwork, handler: LinkHandler, limit: int) -> None:
        self.peer = peer
        self.up = False
        self._network = network
        self._handler = handler
        self._limit = limit
        self._down = False
        self._inbox: deque[list[bytes]] = deque()
        self._loop = gevent.get_hub().loop
        network.links.add(self)

    def join(self, other: MemoryLink) -> None:
        """Make `other` the other end; both come up in the next loop turn."""
        self.other, other.other = other, self
        for link in (self, other):
            gevent.get_hub().loop.run_callback(link.now_up)

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; see `Link.send`."""
        if not self.up:
            raise LinkDown(f'no connection to {self.peer}')
        faults = self._network.faults
        for delay in (0.0,) if faults is None else faults.plan():
            message = list(frames)
            if delay:
                gevent.spawn_later(delay, self.other.arrive, message)
            else:
                self.other.arrive(message)

    def close(self, reason: str = 'closed') -> None:
        """Take both ends down."""
        self.lost(reason)
        other = getattr(self, 'other', None)
        if other is not None:
            other.lost('closed by the peer' if reason == 'closed' else reason)

    def now_up(self) -> None:
        """Tell the handler that messages may be sent."""
        if not self._down:
            self.up = True
            self._handler.link_up(self)

    def arrive(self, message: list[bytes]) -> None:
        """Take a message from the other end, to be delivered in the hub."""
        self._inbox.append(message)
        if len(self._inbox) == 1:
            self._loop.run_callback(self._deliver)

    def _deliver(self) -> None:
        while self._inbox and not self._down:
            message = self._inbox.popleft()
            size = sum(map(len, message))
            if size > self._limit:
                self.close(f'a message of {size} bytes (max_message_size is {self._limit})')
            else:
                self._handler.message_arrived(self, message)

    def lost(self, reason: str) -> None:
        """Take this end down."""
        if not self._down:
            self._down = True
            self.up = False
            self._inbox.clear()
            self._network.links.discard(self)
            self._loop.run_callback(self._handler.link_down, self, reason)


class MemoryListener(Listener):
    """Accepts links under its name."""

    def __init__(
        self, endpoint: str, network: MemoryNetwork, handler: LinkHandler, limit: int
    ) -> None:
        self.endpoint = endpoint
        self.handler = handler
        self.limit = limit
        self._network = network
        network.listeners[endpoint] = self

    def close(self) -> None:
        """Accept no more links."""
        if self._network.listeners.get(self.endpoint) is self:
            del self._network.listeners[self.endpoint]


class MemoryTransport(Transport):
    """Links within one process."""

    schemes = ('memory',)
    #: where transports meet that are given no network of their own
    shared_network: ClassVar[MemoryNetwork] = MemoryNetwork()

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        network: MemoryNetwork | None = None,
    ) -> None:
        super().__init__(max_message_size)
        self.network = self.shared_network if network is None else network
        self._listeners: list[MemoryListener] = []
        self._links: list[MemoryLink] = []

    def address(self, ip: str, port: int) -> str:
        """Return an endpoint whose name is made when it is listened at."""
        return _SCHEME

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at ``memory://name``; raises OSError for a name that is taken."""
        endpoint = self._checked(endpoint)
        if endpoint == _SCHEME:
            endpoint += self.network.new_name()
        if endpoint in self.network.listeners:
            raise OSError(f'{endpoint} is in use')
        listener = MemoryListener(endpoint, self.network, handler, self.max_message_size)
        self._listeners.append(listener)
        return listener

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin a link to ``memory://name``; see `Transport.connect`."""
        link = MemoryLink(self._checked(endpoint), self.network, handler, self.max_message_size)
        listener = self.network.listeners.get(endpoint)
        if listener is None:
            link.lost(f'connection failed: nobody listens at {endpoint}')
            return link
        accepted = MemoryLink('memory://caller', self.network, listener.handler, listener.limit)
        link.join(accepted)
        self._links = [known for known in self._links if known in self.network.links]
        self._links.append(link)
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        for listener in self._listeners:
            listener.close()
            for link in list(self.network.links):
                if link.peer == listener.endpoint:
                    link.close('this side was closed')
        for link in self._links:
            link.close('this side was closed')
        self._listeners.clear()
        self._links.clear()

    @staticmethod
    def _checked(endpoint: str) -> str:
        if not endpoint.startswith(_SCHEME):
            raise ValueError(f'expected an endpoint like memory://name, found {endpoint!r}')
        return endpoint
