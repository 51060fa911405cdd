"""What the two kinds of libzmq links have in common."""

from __future__ import annotations

import logging
import math
import time
from abc import abstractmethod
from collections.abc import Sequence

import gevent
import zmq
from greenlet import getcurrent

from lymph.core._protocol.zmtp.frames import MAX_FRAMES
from lymph.core._system.refusals import made_before_fork
from lymph.core.transport._zeromq.channel import SocketOwner, Unroutable
from lymph.core.transport._zeromq.context import Socket
from lymph.core.transport._zeromq.weighing import FRAME, traffic_of
from lymph.core.transport.base import Link, LinkDown, LinkHandler, MessageTooLong
from lymph.core.transport.edge import DEAF, Edge

__all__ = ['StillbornLink', 'Unfit', 'ZeromqLink', 'receive_frames']

_NOBLOCK = int(zmq.NOBLOCK)
_UNCHECKED = 8  # frames of a message that are received before its size is checked
_HIGH_WATER = 16 * 1024 * 1024  # bytes in libzmq and the kernel, above which senders wait


class Unfit(Exception):
    """A message exceeds a limit; some of its frames may still have to be received."""


def receive_frames(first: zmq.Frame, socket: Socket, limit: int) -> tuple[list[bytes], int]:
    """Return the frames of a message whose first one has been received, and their size.

    Raises Unfit for more than `limit` bytes or too many frames. libzmq's own limit applies only to
    single frames, and it does not limit their number.
    """
    frames, frame = [first.bytes], first
    # nearly all messages end here; libzmq limits each frame, so a few may be stored unchecked
    while frame.more and len(frames) < _UNCHECKED:
        frame = socket.recv(_NOBLOCK, False)
        frames.append(frame.bytes)
    size = sum(map(len, frames))
    while frame.more and size <= limit:
        if len(frames) >= MAX_FRAMES:
            raise Unfit(f'a message of more than {MAX_FRAMES} frames')
        frame = socket.recv(_NOBLOCK, False)
        frames.append(frame.bytes)
        size += len(frames[-1])
    if size > limit:
        raise Unfit(f'a message of {size} bytes or more (max_message_size is {limit})')
    return frames, size


class ZeromqLink(Link):
    """One side of a connection of libzmq; messages are sent through `channel`."""

    #: seconds that a sender waits for the peer to read something before the link is closed
    patience = math.inf

    def __init__(
        self,
        peer: str,
        handler: LinkHandler,
        channel: SocketOwner,
        max_message_size: int,
        edge: Edge,
    ) -> None:
        self.peer = peer
        self.up = False
        self.down_reason: str | None = None
        #: why the link goes down as soon as all received messages are delivered; None: it does not
        self.leaving: str | None = None
        #: bytes passed to the handler, and to libzmq, with the minimal overhead of frames
        self.delivered = self.sent = 0
        self._taken = 0  # bytes that the peer had acknowledged at the last check
        self._handler: LinkHandler = handler
        self._channel = channel
        self._limit = max_message_size
        self._edge = edge
        self._hub = gevent.get_hub()

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; raises LinkDown and MessageTooLong, see `Link.send`."""
        size = sum(map(len, frames))
        # for a link that is down, `_try_send_up` raises LinkDown instead
        if size > self._limit and self.up:
            raise MessageTooLong(size, self._limit)
        tired_at: float | None = None
        taken = self._taken
        while (
            self.sent - self._taken > _HIGH_WATER and not self._has_room()
        ) or not self._try_send_up(frames):
            if getcurrent() is self._hub:
                return  # dropped, since the hub cannot wait
            now = time.monotonic()
            # The peer has `patience` seconds to read something, and again each time it has. If the
            # link is closed here, the next attempt raises LinkDown.
            if tired_at is None or taken != self._taken:
                tired_at, taken = now + self.patience, self._taken
            elif now >= tired_at:
                self.close('the peer does not read')
            self._channel.wait_for_room()
        self.sent += size + FRAME * len(frames)

    @property
    @abstractmethod
    def connection(self) -> tuple[int, int | None]:
        """The descriptor of the connection, and its inode."""

    def _has_room(self) -> bool:
        """Tell whether the peer has read enough, by the counts of the kernel, to send more.

        libzmq limits its queue only in messages, which may be large. Without a TCP connection that
        is the only limit, and this returns True.
        """
        traffic = traffic_of(*self.connection) if self.up else None
        if traffic is None:
            return True
        self._taken = traffic.acknowledged
        self.sent = max(self.sent, self._taken)  # the real overhead of frames may be larger
        return self.sent - self._taken <= _HIGH_WATER

    def _try_send_up(self, frames: Sequence[bytes]) -> bool:
        """Pass a message to libzmq; return False if it has no room. Raises LinkDown."""
        if not self.up:
            reason = self.down_reason or self.leaving or 'the connection is not up yet'
            raise LinkDown(f'cannot send to {self.peer}: {reason}')
        try:
            return self._try_send(frames)
        except Unroutable as error:
            raise LinkDown(f'cannot send to {self.peer}: the peer is gone') from error

    @abstractmethod
    def _try_send(self, frames: Sequence[bytes]) -> bool:
        """Pass a message to libzmq; return False if it has no room."""

    def now_up(self) -> None:
        """Come up: tell the handler that messages may be sent."""
        self.up = True
        self._edge.tell(self._handler.link_up, self)

    def arrived(self, frames: list[bytes], size: int) -> None:
        """Pass a message of `size` bytes to the handler."""
        self.delivered += size + FRAME * len(frames)
        self._edge.tell(self._handler.message_arrived, self, frames)

    def ended(self, reason: str) -> None:
        """Mark the link as down and tell the handler, once and in the hub."""
        if self.down_reason is not None:
            return
        self.down_reason = reason
        self.up = False
        handler, self._handler = self._handler, DEAF
        if getcurrent() is self._hub:
            self._edge.tell(handler.link_down, self, reason)
        else:
            self._hub.loop.run_callback(self._edge.tell, handler.link_down, self, reason)

    def give_way(self, reason: str) -> None:
        """Take the link down because it is the greediest one; see `Buffers`."""
        self._edge.log(logging.WARNING, 'max_buffered', '%s: closed; %s', self.peer, reason)
        self.close(reason)

    def abandon(self) -> None:
        """In a forked child, refuse further use."""
        self.up = False
        self.down_reason = made_before_fork('link')


class StillbornLink(Link):
    """A link whose socket could not be created; it goes down in the next turn of the loop."""

    def __init__(self, peer: str, handler: LinkHandler, reason: str, edge: Edge) -> None:
        self.peer = peer
        self.up = False
        self._reason = reason
        gevent.get_hub().loop.run_callback(edge.tell, handler.link_down, self, reason)

    def send(self, frames: Sequence[bytes]) -> None:
        """Refuse the message; raises LinkDown."""
        raise LinkDown(f'cannot send to {self.peer}: {self._reason}')

    def close(self, reason: str = 'closed') -> None:
        """Do nothing, since the link is down."""
