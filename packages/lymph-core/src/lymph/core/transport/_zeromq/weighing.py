"""Estimating the bytes that libzmq holds for each TCP connection from the counts of the kernel.

Theory: libzmq limits its queues in messages rather than bytes, does not count incomplete messages,
and does not report what it holds. But the kernel counts the bytes of a connection (`TCP_INFO`).
Bytes received minus those of delivered messages are in libzmq. Bytes passed to libzmq minus those
that the peer has acknowledged are in libzmq or in flight. One check per second is enough to find
peers that fill memory, and costs calls nothing; between checks a peer can add only what the network
carries.

The overhead of frames is known only roughly. So the estimate of received bytes is corrected by up
to half of what was delivered since the last check, and whenever it is negative. An incomplete
message cannot benefit from this, since nothing is delivered after it. Complete messages that wait
for a busy loop are not the peer's fault: while there are any, only unsent bytes are checked, for up
to `_PATIENCE` checks.
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

FRAME = 2  # bytes; the minimal overhead of a frame
_INTERVAL = 1.0  # seconds between two checks
_PATIENCE = 10  # checks for which a socket may have undelivered messages each time
_NOISE = 64 * 1024  # bytes; smaller amounts count as nothing
_Socket: type[socket.socket] = get_original('socket', 'socket')
# Linux: struct tcp_info has tcpi_bytes_acked and tcpi_bytes_received at 120 (since 4.2)
_TCP_INFO = getattr(socket, 'TCP_INFO', None)
_COUNTS, _AT = struct.Struct('=QQ'), 120


class Traffic(NamedTuple):
    """Bytes of a TCP connection since it was made."""

    acknowledged: int
    received: int


class Carried(Protocol):
    """Bytes that a link has delivered and sent, with the minimal overhead of frames."""

    delivered: int
    sent: int


class Weighed(NamedTuple):
    """A connection of libzmq, as `Weighing` needs it."""

    descriptor: int
    inode: int | None
    link: Carried | None  # None: nothing was delivered yet
    settled: bool  # whether all complete messages have been delivered
    give_way: Callable[[str], None]  # closes it


def traffic_of(descriptor: int, inode: int | None) -> Traffic | None:
    """Return the counts of the kernel; None if the connection is closed, or is not TCP on Linux."""
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
        sock.detach()  # the descriptor is libzmq's
    return Traffic(*_COUNTS.unpack_from(info, _AT)) if len(info) == _AT + _COUNTS.size else None


class Weighing:
    """Updates `buffers` for all `connections()` once a second after `start`."""

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
        """Start checking. Idempotent."""
        if not self._running:
            self._running = True
            self._timer.again(self._look)

    def stop(self) -> None:
        """Stop checking."""
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
    """The bytes that one connection holds, and the corrections of its counts."""

    def __init__(self, buffers: Buffers) -> None:
        self._received: BufferedBytes = buffers.holding(self._give_way, received=True)
        self._unsent: BufferedBytes = buffers.holding(self._give_way)
        self._close: Callable[[str], None] = _nothing
        self._delivered = self._off_in = self._off_out = self._unsettled = 0

    def weigh(self, traffic: Traffic, one: Weighed) -> None:
        """Compute the bytes that are held now."""
        self._close = one.give_way
        delivered = one.link.delivered if one.link is not None else 0
        sent = one.link.sent if one.link is not None else 0
        self._unsettled = 0 if one.settled else self._unsettled + 1
        # complete messages that wait for the loop would count as held, so skip this check
        if self._unsettled == 0 or self._unsettled > _PATIENCE:
            self._weigh_received(traffic.received, delivered)
        unsent = sent - traffic.acknowledged - self._off_out
        # the overhead of frames was larger than counted: correct all later checks
        if unsent < 0:
            self._off_out += unsent
            unsent = 0
        # less than before: the peer has read something, so the rest counts as new
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
        """Free all bytes for good."""
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
    """Replace the closing function of a connection that has ended."""
