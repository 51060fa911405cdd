"""What the two kinds of libzmq links have in common."""

from __future__ import annotations

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import zmq
from greenlet import getcurrent
from zmq.backend import Socket

from lymph.core.transport.base import Link, LinkDown, LinkHandler, MessageTooLong
from lymph.core.transport.zeromq.channel import Channel, Unroutable

__all__ = ['StillbornLink', 'ZeromqLink', 'receive_frames']

logger = logging.getLogger(__name__)

_NOBLOCK = int(zmq.NOBLOCK)


def receive_frames(first: zmq.Frame, socket: Socket) -> list[bytes]:
    """Return the frames of a message whose first one has been received."""
    frames, frame = [first.bytes], first
    while frame.more:
        frame = socket.recv(_NOBLOCK, False)
        frames.append(frame.bytes)
    return frames


class ZeromqLink(Link):
    """One side of a connection that libzmq holds; `channel` is what it sends through."""

    #: seconds for which a sender waits for room before the link is given up
    patience = math.inf

    def __init__(
        self, peer: str, handler: LinkHandler, channel: Channel, max_message_size: int
    ) -> None:
        self.peer = peer
        self.up = False
        self.down_reason: str | None = None
        #: why the link goes down as soon as all that was received is delivered
        self.leaving: str | None = None
        self._handler = handler
        self._channel = channel
        self._limit = max_message_size
        self._hub = gevent.get_hub()

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; see `Link.send`."""
        size = sum(map(len, frames))
        if size > self._limit and self.up:
            raise MessageTooLong(size, self._limit)
        tired_at: float | None = None
        while not self._try_send_up(frames):
            if getcurrent() is self._hub:
                return
            now = time.monotonic()
            if tired_at is None:
                tired_at = now + self.patience
            elif now >= tired_at:
                self.close('the peer does not read')
            self._channel.wait_for_room()

    def _try_send_up(self, frames: Sequence[bytes]) -> bool:
        """Give a message to libzmq, if it has room; raises LinkDown."""
        if not self.up:
            reason = self.down_reason or self.leaving or 'the connection is not up yet'
            raise LinkDown(f'cannot send to {self.peer}: {reason}')
        try:
            return self._try_send(frames)
        except Unroutable as error:
            raise LinkDown(f'cannot send to {self.peer}: the peer is gone') from error

    @abstractmethod
    def _try_send(self, frames: Sequence[bytes]) -> bool:
        """Give a message to libzmq, or return False when there is no room for it."""

    def now_up(self) -> None:
        """Tell the handler that messages may be sent."""
        self.up = True
        self._tell(self._handler.link_up)

    def arrived(self, frames: list[bytes]) -> None:
        """Give a message to the handler; one that is too long takes the link down."""
        size = sum(map(len, frames))
        if size > self._limit:
            # libzmq compares single frames with its limit, so this one is the sum of several.
            self.close(f'a message of {size} bytes (max_message_size is {self._limit})')
            return
        self._tell(self._handler.message_arrived, frames)

    def ended(self, reason: str) -> None:
        """Tell the handler, once and in the hub, that the link is down."""
        if self.down_reason is not None:
            return
        self.down_reason = reason
        self.up = False
        if getcurrent() is self._hub:
            self._tell(self._handler.link_down, reason)
        else:
            self._hub.loop.run_callback(self._tell, self._handler.link_down, reason)

    def abandon(self) -> None:
        """Refuse from now on, in a forked child."""
        self.up = False
        self.down_reason = 'it was opened before a fork'

    def _tell(self, method: Callable[..., None], *facts: Any) -> None:
        try:
            method(self, *facts)
        except Exception:  # the edge of somebody else's code
            logger.exception('%s: the handler of a link failed', self.peer)


class StillbornLink(Link):
    """A link for which there was not even a socket; it goes down in the next turn of the loop."""

    def __init__(self, peer: str, handler: LinkHandler, reason: str) -> None:
        self.peer = peer
        self.up = False
        self._reason = reason
        gevent.get_hub().loop.run_callback(handler.link_down, self, reason)

    def send(self, frames: Sequence[bytes]) -> None:
        """Refuse."""
        raise LinkDown(f'cannot send to {self.peer}: {self._reason}')

    def close(self, reason: str = 'closed') -> None:
        """Do nothing: it is down."""
