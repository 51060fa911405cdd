"""The transport `memory`: links within one process, with faults on demand.

Tests run the whole stack on it. Endpoints are ``memory://name``; a listener at ``memory://`` gets a
name of its own. Containers meet on a `MemoryNetwork`; those that are given none share one.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from greenlet import getcurrent

from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_UNRESPONSIVE_TIMEOUT,
    Link,
    LinkDown,
    LinkHandler,
    Listener,
    MessageTooLong,
    Transport,
)

__all__ = ['Faults', 'MemoryNetwork', 'MemoryTransport']

logger = logging.getLogger(__name__)

_SCHEME = 'memory://'
_HIGH_WATER = 4 * 1024 * 1024  # bytes on their way above which senders wait


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
                link.cut('cut')


class MemoryLink(Link):
    """One end; `other` is the other one, None before and after the two are joined."""

    def __init__(self, peer: str, transport: MemoryTransport, handler: LinkHandler) -> None:
        self.peer = peer
        self.up = False
        self.other: MemoryLink | None = None
        self._transport = transport
        self._handler = handler
        self._down_reason: str | None = None
        self._inbox: deque[list[bytes]] = deque()
        self._held = 0  # bytes in the inbox
        self._room = Event()
        self._room.set()
        self._hub = gevent.get_hub()
        self._late: set[Any] = set()  # timers of messages that are delayed
        self._ending: str | None = None  # why the link goes down when the inbox is empty
        transport.links.add(self)
        transport.network.links.add(self)

    def join(self, other: MemoryLink) -> None:
        """Make `other` the other end; both come up in the next loop turn."""
        self.other, other.other = other, self
        for link in (self, other):
            self._hub.loop.run_callback(link.now_up)

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; see `Link.send`."""
        if not self.up or self.other is None:
            raise self._refusal()
        size, limit = sum(map(len, frames)), self._transport.max_message_size
        if size > limit:
            raise MessageTooLong(size, limit)
        if not self.other.wait_for_room():
            return
        other = self.other
        if not self.up or other is None:  # it may have gone down while waiting
            raise self._refusal()
        faults = self._transport.network.faults
        if faults is None:
            other.arrive(list(frames), size)
            return
        for delay in faults.plan():
            other.arrive_later(delay, list(frames), size)

    def close(self, reason: str = 'closed') -> None:
        """Take both ends down, the other one after what was sent to it has arrived."""
        other = self.other
        self.lost(reason)
        if other is not None:
            other.end('closed by the peer')

    def cut(self, reason: str) -> None:
        """Take both ends down at once; what is on its way is lost."""
        other = self.other
        self.lost(reason)
        if other is not None:
            other.lost(reason)

    def now_up(self) -> None:
        """Tell the handler that messages may be sent."""
        if self._down_reason is None:
            self.up = True
            self._tell(self._handler.link_up)

    def wait_for_room(self) -> bool:
        """Wait until the inbox has room; in the hub, tell whether it has."""
        while self._held > _HIGH_WATER:
            if getcurrent() is self._hub:
                return False
            self._room.wait()
        return True

    def arrive_later(self, delay: float, message: list[bytes], size: int) -> None:
        """Take a message from the other end that arrives after `delay` seconds."""
        if not delay:
            self.arrive(message, size)
            return
        timer = self._hub.loop.timer(delay)
        self._late.add(timer)
        timer.start(self._arrived_late, timer, message, size)

    def arrive(self, message: list[bytes], size: int) -> None:
        """Take a message from the other end, to be delivered in the hub."""
        if self._down_reason is not None:
            return
        self._held += size
        if self._held > _HIGH_WATER:
            self._room.clear()
        self._inbox.append(message)
        if len(self._inbox) == 1:
            self._hub.loop.run_callback(self._deliver)

    def end(self, reason: str) -> None:
        """Go down when everything that is on its way has been delivered."""
        self.up = False
        self._ending = reason
        self._hub.loop.run_callback(self._deliver)

    def lost(self, reason: str) -> None:
        """Take this end down."""
        if self._down_reason is not None:
            return
        self._down_reason = reason
        self.up = False
        self.other = None
        self._inbox.clear()
        self._held = 0
        self._room.set()
        for timer in self._late:
            timer.close()
        self._late.clear()
        self._transport.links.discard(self)
        self._transport.network.links.discard(self)
        self._hub.loop.run_callback(self._tell, self._handler.link_down, reason)

    def _arrived_late(self, timer: Any, message: list[bytes], size: int) -> None:
        self._late.discard(timer)
        timer.close()
        self.arrive(message, size)

    def _deliver(self) -> None:
        limit = self._transport.max_message_size
        while self._inbox and self._down_reason is None:
            message = self._inbox.popleft()
            size = sum(map(len, message))
            self._held -= size
            if self._held <= _HIGH_WATER // 4:
                self._room.set()
            if size > limit:
                self.cut(f'a message of {size} bytes (max_message_size is {limit})')
            else:
                self._tell(self._handler.message_arrived, message)
        if self._ending is not None and not self._late:
            self.lost(self._ending)

    def _tell(self, method: Callable[..., None], *facts: Any) -> None:
        try:
            method(self, *facts)
        except Exception:  # the edge of somebody else's code
            logger.exception('%s: the handler of a link failed', self.peer)

    def _refusal(self) -> LinkDown:
        reason = self._down_reason or self._ending or 'the connection is not up yet'
        return LinkDown(f'cannot send to {self.peer}: {reason}')


class MemoryListener(Listener):
    """Accepts links under its name."""

    def __init__(self, endpoint: str, transport: MemoryTransport, handler: LinkHandler) -> None:
        self.endpoint = endpoint
        self.handler = handler
        self.transport = transport
        transport.listeners.add(self)
        transport.network.listeners[endpoint] = self

    def close(self) -> None:
        """Accept no more links."""
        if self in self.transport.listeners:
            self.transport.listeners.discard(self)
            del self.transport.network.listeners[self.endpoint]


class MemoryTransport(Transport):
    """Links within one process."""

    schemes = ('memory',)
    #: where transports meet that are given no network of their own
    shared_network: ClassVar[MemoryNetwork] = MemoryNetwork()

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        unresponsive_timeout: float = DEFAULT_UNRESPONSIVE_TIMEOUT,
        *,
        network: MemoryNetwork | None = None,
    ) -> None:
        super().__init__(max_message_size, unresponsive_timeout)
        self.network = self.shared_network if network is None else network
        self.listeners: set[MemoryListener] = set()
        self.links: set[MemoryLink] = set()

    def address(self, ip: str, port: int) -> str:
        """Return an endpoint whose name is made when it is listened at."""
        return _SCHEME

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at ``memory://name``; raises OSError for a name that is taken."""
        endpoint = self._checked(endpoint)
        if endpoint == _SCHEME:
            endpoint += self.network.new_name()
        if endpoint in self.network.listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), endpoint)
        return MemoryListener(endpoint, self, handler)

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin a link to ``memory://name``; see `Transport.connect`."""
        link = MemoryLink(self._checked(endpoint), self, handler)
        listener = self.network.listeners.get(endpoint)
        if listener is None:
            link.lost(f'connection failed: nobody listens at {endpoint}')
        else:
            link.join(MemoryLink('memory://caller', listener.transport, listener.handler))
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        for listener in list(self.listeners):
            listener.close()
        for link in list(self.links):
            link.close('this side was closed')

    @staticmethod
    def _checked(endpoint: str) -> str:
        if not endpoint.startswith(_SCHEME):
            raise ValueError(f'expected an endpoint like memory://name, found {endpoint!r}')
        return endpoint
