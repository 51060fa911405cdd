"""The two ends of a link in memory, and the messages between them."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import gevent
from gevent.event import Event
from greenlet import getcurrent

from lymph.core._loop.turns import NextTurn
from lymph.core.transport._memory.network import MemoryNetwork
from lymph.core.transport.base import Link, LinkDown, LinkHandler, MessageTooLong
from lymph.core.transport.edge import DEAF, Edge

__all__ = ['MemoryLink', 'Side']

_PER_TURN = 100  # messages delivered in one turn of the loop
_HIGH_WATER = 4 * 1024 * 1024  # undelivered bytes above which senders wait


@dataclass(frozen=True)
class Side:
    """What all links of one transport share."""

    network: MemoryNetwork
    max_message_size: int
    edge: Edge
    links: set[MemoryLink] = field(default_factory=set)


class MemoryLink(Link):
    """One end of a link; `other` is the other end, None before `join` and when the link is down."""

    def __init__(self, peer: str, side: Side, handler: LinkHandler) -> None:
        self.peer = peer
        self.up = False
        self.other: MemoryLink | None = None
        self._side = side
        self._handler: LinkHandler = handler
        self._down_reason: str | None = None
        self._inbox: deque[list[bytes]] = deque()
        self._held = 0  # bytes in the inbox
        self._room = Event()
        self._room.set()
        self._hub = gevent.get_hub()
        self._late: list[tuple[float, int, list[bytes], int]] = []  # a heap of delayed messages
        self._numbers = itertools.count()
        self._next_turn = NextTurn(self._deliver)
        self._next_late = self._hub.loop.timer(0)
        self._ending: str | None = None  # why the link goes down when the inbox is empty
        side.links.add(self)
        side.network.links.add(self)

    def join(self, other: MemoryLink) -> None:
        """Make `other` the other end; both come up in the next turn of the loop."""
        self.other, other.other = other, self
        for link in (self, other):
            self._hub.loop.run_callback(link.now_up)

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; raises LinkDown and MessageTooLong, see `Link.send`."""
        if not self.up or self.other is None:
            raise self._refusal()
        size, limit = sum(map(len, frames)), self._side.max_message_size
        if size > limit:
            raise MessageTooLong(size, limit)
        if not self.other.wait_for_room():
            return
        other = self.other
        if not self.up or other is None:  # it may have gone down while waiting
            raise self._refusal()
        faults = self._side.network.faults
        if faults is None:
            other.arrive(list(frames), size)
            return
        for delay in faults.plan():
            other.arrive_later(delay, list(frames), size)

    def close(self, reason: str = 'closed') -> None:
        """Take both ends down, the other one after it has got all messages sent to it."""
        other = self.other
        self.lost(reason)
        if other is not None:
            other.end('closed by the peer')

    def cut(self, reason: str) -> None:
        """Take both ends down at once; undelivered messages are lost."""
        other = self.other
        self.lost(reason)
        if other is not None:
            other.lost(reason)

    def now_up(self) -> None:
        """Come up, unless the link has gone down already."""
        if self._down_reason is None:
            self.up = True
            self._side.edge.tell(self._handler.link_up, self)

    def wait_for_room(self) -> bool:
        """Wait until the inbox has room; in the hub, return False instead of waiting."""
        while self._held > _HIGH_WATER:
            if getcurrent() is self._hub:
                return False
            self._room.wait()
        return True

    def arrive_later(self, delay: float, message: list[bytes], size: int) -> None:
        """Accept a message from the other end that arrives after `delay` seconds."""
        if self._down_reason is not None:
            return
        if not delay:
            self.arrive(message, size)
            return
        number = next(self._numbers)
        heapq.heappush(self._late, (time.monotonic() + delay, number, message, size))
        if self._late[0][1] == number:
            self._wait_for_late()

    def arrive(self, message: list[bytes], size: int) -> None:
        """Accept a message from the other end, which will be delivered in the hub."""
        if self._down_reason is not None:
            return
        self._held += size
        if self._held > _HIGH_WATER:
            self._room.clear()
        self._inbox.append(message)
        if len(self._inbox) == 1:
            self._hub.loop.run_callback(self._deliver)

    def end(self, reason: str) -> None:
        """Go down when all messages have been delivered."""
        self.up = False
        self._ending = reason
        self._hub.loop.run_callback(self._deliver)

    def lost(self, reason: str) -> None:
        """Take this end down at once. Idempotent."""
        if self._down_reason is not None:
            return
        self._down_reason = reason
        self.up = False
        self.other = None
        self._inbox.clear()
        self._held = 0
        self._room.set()
        self._late.clear()
        self._next_late.stop()
        self._next_late.close()
        self._next_turn.close()
        self._side.links.discard(self)
        self._side.network.links.discard(self)
        tell, handler = self._side.edge.tell, self._handler
        self._handler = DEAF
        self._hub.loop.run_callback(tell, handler.link_down, self, reason)

    def _wait_for_late(self) -> None:
        delay = max(0.0, self._late[0][0] - time.monotonic())
        self._next_late.stop()
        self._next_late.close()
        self._next_late = self._hub.loop.timer(delay)
        self._next_late.start(self._late_arrive)

    def _late_arrive(self) -> None:
        now = time.monotonic()
        while self._late and self._late[0][0] <= now:
            _, _, message, size = heapq.heappop(self._late)
            self.arrive(message, size)
        if self._late:
            self._wait_for_late()

    def _deliver(self) -> None:
        """Pass messages to the handler, up to a fair number in one turn. Runs in the hub."""
        limit = self._side.max_message_size
        for _ in range(_PER_TURN):
            if not self._inbox or self._down_reason is not None:
                break
            message = self._inbox.popleft()
            size = sum(map(len, message))
            self._held -= size
            # at a quarter, so that a waiting sender can send more than one message when it resumes
            if self._held <= _HIGH_WATER // 4:
                self._room.set()
            # the sender has compared it with its own limit, which may be larger
            if size > limit:
                self.cut(f'a message of {size} bytes (max_message_size is {limit})')
            else:
                self._side.edge.tell(self._handler.message_arrived, self, message)
        if self._inbox and self._down_reason is None:
            self._next_turn.ask()
        # The other end has closed; delayed messages still arrive before this end goes down.
        elif self._ending is not None and not self._late:
            self.lost(self._ending)

    def _refusal(self) -> LinkDown:
        reason = self._down_reason or self._ending or 'the connection is not up yet'
        return LinkDown(f'cannot send to {self.peer}: {reason}')
