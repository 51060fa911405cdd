"""What the two kinds of libzmq links have in common."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Sequence

import gevent
import zmq
from greenlet import getcurrent
from zmq.backend import Socket

from lymph.core.protocol.zmtp.frames import MAX_FRAMES
from lymph.core.transport.base import Link, LinkDown, LinkHandler, MessageTooLong
from lymph.core.transport.edge import DEAF, Edge
from lymph.core.transport.zeromq.channel import Channel, Unroutable

__all__ = ['StillbornLink', 'Unfit', 'ZeromqLink', 'receive_frames']

_NOBLOCK = int(zmq.NOBLOCK)


class Unfit(Exception):
    """A message is over a limit; some of its frames are still to be received."""


def receive_frames(first: zmq.Frame, socket: Socket, limit: int) -> list[bytes]:
    """Return the frames of a message whose first one has been received.

    Raises Unfit for more than `limit` bytes or too many frames. libzmq compares single frames with
    its limit and counts none, so a message may have any number of them.
    """
    data = first.bytes
    frames, frame, size = [data], first, len(data)
    while frame.more and size <= limit:
        if len(frames) >= MAX_FRAMES:
            raise Unfit(f'a message of more than {MAX_FRAMES} frames')
        frame = socket.recv(_NOBLOCK, False)
        data = frame.bytes
        size += len(data)
        frames.append(data)
    if size > limit:
        raise Unfit(f'a message of {size} bytes or more (max_message_size is {limit})')
    return frames


class ZeromqLink(Link):
    """One side of a connection that libzmq holds; `channel` is what it sends through."""

    #: seconds for which a sender waits for room before the link is given up
    patience = math.inf

    def __init__(
        self,
        peer: str,
        handler: LinkHandler,
        channel: Channel,
        max_message_size: int,
        edge: Edge,
    ) -> None:
        self.peer = peer
        self.up = False
        self.down_reason: str | None = None
        #: why the link goes down as soon as all that was received is delivered
        self.leaving: str | None = None
        self._handler: LinkHandler = handler
        self._channel = channel
        self._limit = max_message_size
        self._edge = edge
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
        self._edge.tell(self._handler.link_up, self)

    def arrived(self, frames: list[bytes]) -> None:
        """Give a message to the handler."""
        self._edge.tell(self._handler.message_arrived, self, frames)

    def ended(self, reason: str) -> None:
        """Tell the handler, once and in the hub, that the link is down."""
        if self.down_reason is not None:
            return
        self.down_reason = reason
        self.up = False
        handler, self._handler = self._handler, DEAF
        if getcurrent() is self._hub:
            self._edge.tell(handler.link_down, self, reason)
        else:
            self._hub.loop.run_callback(self._edge.tell, handler.link_down, self, reason)

    def abandon(self) -> None:
        """Refuse from now on, in a forked child."""
        self.up = False
        self.down_reason = 'it was opened before a fork'


class StillbornLink(Link):
    """A link for which there was not even a socket; it goes down in the next turn of the loop."""

    def __init__(self, peer: str, handler: LinkHandler, reason: str, edge: Edge) -> None:
        self.peer = peer
        self.up = False
        self._reason = reason
        gevent.get_hub().loop.run_callback(edge.tell, handler.link_down, self, reason)

    def send(self, frames: Sequence[bytes]) -> None:
        """Refuse."""
        raise LinkDown(f'cannot send to {self.peer}: {self._reason}')

    def close(self, reason: str = 'closed') -> None:
        """Do nothing: it is down."""
