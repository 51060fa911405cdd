"""What libzmq holds for each TCP connection, worked out from what the kernel has counted.

Theory: libzmq bounds its queues in messages, not in bytes, counts no incomplete message, and tells
nobody what it holds. But the kernel counts the bytes of a connection (`TCP_INFO`): those that have
arrived, less those of messages that were delivered, are in libzmq; those that were given to libzmq,
less those that the peer has acknowledged, are in libzmq or on their way. Once a second is enough to
find who fills memory, and costs a call nothing; meanwhile a peer can add what the network carries.

What frames take beside their content is known by and large. So the difference is put right by up to
half of what was delivered since the look before, and whenever it is below zero. A message that is
never completed gains nothing by that: nothing is delivered behind it. Messages that are complete
and wait for a loop that is busy are nobody's fault; while there are any, only what is to be sent is
looked at, for a while.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import gevent
from gevent.monkey import get_original

from lymph.core.transport._zeromq.descriptors import inode_of
from lymph.core.transport.buffers import BufferedBytes, Buffers
from lymph.core.transport.edge import Edge

__all__ = ['FRAME', 'Traffic', 'Weighed', 'Weighing', 'traffic_of']

FRAME = 2  # bytes that a frame takes beside its content, at least
_INTERVAL = 1.0  # seconds
_PATIENCE = 10  # looks at a socket that always has messages for us
_NOISE = 64 * 1024  # bytes that are not worth counting
_Socket: type[socket.socket] = get_original('socket', 'socket')
# Linux: struct tcp_info has tcpi_bytes_acked and tcpi_bytes_received at 120 (since 4.2)
_TCP_INFO = getattr(socket, 'TCP_INFO', None)
_COUNTS, _AT = struct.Struct('=QQ'), 120


class Traffic(NamedTuple):
    """Bytes of a TCP connection so far."""

    acknowledged: int
    received: int


class Carried(Protocol):
    """What a link has carried so far: bytes with what frames take at least."""

    delivered: int
    sent: int


class Weighed(NamedTuple):
    """A connection that libzmq holds."""

    descriptor: int
    inode: int | None
    link: Carried | None  # None: nothing was delivered yet
    settled: bool  # whether all that is complete has been delivered
    give_way: Callable[[str], None]  # closes it


def traffic_of(descriptor: int, inode: int | None) -> Traffic | None:
    """Return what the kernel has counted, None for what is no such TCP connection any more."""
    if _TCP_INFO is None or inode is None or inode_of(descriptor) != inode:
        return None
    try:  # libzmq's threads may close the descriptor at any moment
        sock = _Socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    except OSError:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _AT + _COUNTS.size)
    except OSError:
        return None
    finally:
        sock.detach()  # it is libzmq's
    return Traffic(*_COUNTS.unpack_from(info, _AT)) if len(info) == _AT + _COUNTS.size else None


class Weighing:
    """Keeps `buffers` true for `connections()`, once a second from `start` on."""

    def __init__(
        self, buffers: Buffers, edge: Edge, connections: Callable[[], Iterable[Weighed]]
    ) -> None:
        self._buffers = buffers
        self._edge = edge
        self._connections = connections
        self._scales: dict[tuple[int, int | None], _Scale] = {}
        self._timer = gevent.get_hub().loop.timer(_INTERVAL, _INTERVAL, ref=False)
        self._running = False

    def start(self) -> None:
        """Look from now on, as long as there are connections."""
        if not self._running:
            self._running = True
            self._timer.again(self._look)

    def stop(self) -> None:
        """Look no more."""
        self._running = False
        self._timer.stop()

    def _look(self) -> None:
        try:
            self._weigh(list(self._connections()))
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._edge.loop_failed('weighing connections', error)

    def _weigh(self, connections: list[Weighed]) -> None:
        before, self._scales = self._scales, {}
        for one in connections:
            traffic = traffic_of(one.descriptor, one.inode)
            if traffic is not None:
                key = one.descriptor, one.inode
                scale = before.pop(key, None) or _Scale(self._buffers)
                self._scales[key] = scale
                scale.weigh(traffic, one)
        for gone in before.values():
            gone.end()


class _Scale:
    """What one connection holds, and how far the counts of its bytes are off."""

    def __init__(self, buffers: Buffers) -> None:
        self._received: BufferedBytes = buffers.holding(self._give_way, received=True)
        self._unsent: BufferedBytes = buffers.holding(self._give_way)
        self._close: Callable[[str], None] = _nothing
        self._delivered = self._off_in = self._off_out = self._unsettled = 0

    def weigh(self, traffic: Traffic, one: Weighed) -> None:
        """Work out what is held now."""
        self._close = one.give_way
        delivered = one.link.delivered if one.link is not None else 0
        sent = one.link.sent if one.link is not None else 0
        self._unsettled = 0 if one.settled else self._unsettled + 1
        # Complete messages that wait for the loop would count as held, so they are waited for.
        if self._unsettled == 0 or self._unsettled > _PATIENCE:
            self._weigh_received(traffic.received, delivered)
        unsent = sent - traffic.acknowledged - self._off_out
        # Frames take more than was counted; the difference is put right for all later looks.
        if unsent < 0:
            self._off_out += unsent
            unsent = 0
        # Less than before: the peer took something, so what is left counts as new.
        _set(self._unsent, unsent, unsent < self._unsent.size)

    def _weigh_received(self, received: int, delivered: int) -> None:
        new, self._delivered = delivered - self._delivered, delivered
        held = received - delivered - self._off_in
        if held < 0 or new > 0:
            correction = min(held, new // 2)
            self._off_in += correction
            held -= correction
        _set(self._received, held, new > 0)

    def end(self) -> None:
        """Hold nothing any more."""
        self._close = _nothing
        self._received.end()
        self._unsent.end()

    def _give_way(self, reason: str) -> None:
        close = self._close
        self.end()
        close(reason)


def _set(holding: BufferedBytes, size: int, renewed: bool) -> None:
    holding.set(size if size > _NOISE else 0, renewed and size > _NOISE)


def _nothing(reason: str) -> None:
    """Close a connection that is gone."""
