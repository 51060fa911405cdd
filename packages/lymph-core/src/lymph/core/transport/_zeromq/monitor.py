"""The events of the connections of a libzmq socket.

Source: zmq_socket_monitor(3). An event has two frames: its number (16 bits) with a value (32 bits,
here a file descriptor), and the endpoint.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable

import gevent
import zmq

from lymph.core.transport._zeromq.channel import descriptor_of
from lymph.core.transport._zeromq.context import Socket, shared_context
from lymph.core.transport.edge import Edge

__all__ = [
    'ACCEPTED',
    'CLOSED',
    'CONNECTED',
    'DISCONNECTED',
    'HANDSHAKE_FAILED',
    'HANDSHAKE_SUCCEEDED',
    'LISTENING',
    'Monitor',
]

ACCEPTED = int(zmq.EVENT_ACCEPTED)
CONNECTED = int(zmq.EVENT_CONNECTED)
LISTENING = int(zmq.EVENT_LISTENING)
CLOSED = int(zmq.EVENT_CLOSED)
DISCONNECTED = int(zmq.EVENT_DISCONNECTED)
HANDSHAKE_SUCCEEDED = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
HANDSHAKE_FAILED = (
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL),
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL),
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH),
)
_ALL = ACCEPTED | CONNECTED | LISTENING | CLOSED | DISCONNECTED | HANDSHAKE_SUCCEEDED
_ALL |= sum(HANDSHAKE_FAILED)
_NOBLOCK = int(zmq.NOBLOCK)
_EVENT = struct.Struct('=Hi')
_numbers = itertools.count(1)
_RETRY = 0.1  # seconds before events are read again after an error


def _ignore(event: int, descriptor: int) -> None:
    pass


class Monitor:
    """Calls `happened(event, descriptor)` in the hub for each event of `socket`, in order.

    `name` is the name of the socket in logs.
    """

    def __init__(
        self, name: str, socket: Socket, edge: Edge, happened: Callable[[int, int], None]
    ) -> None:
        self.name = name
        self._edge = edge
        self._watched = socket
        self._happened = happened
        self._closed = False
        endpoint = f'inproc://monitor-{next(_numbers)}'
        socket.monitor(endpoint, _ALL)
        self._socket = Socket(shared_context(), int(zmq.PAIR))
        # no limit: otherwise libzmq's thread would wait for room, and all traffic with it
        self._socket.set(int(zmq.RCVHWM), 0)
        self._socket.connect(endpoint)
        self._loop = gevent.get_hub().loop
        self._readable = self._loop.io(descriptor_of(self._socket), 1)
        self._retry = self._loop.timer(_RETRY)
        self._readable.start(self.drain)
        self.drain()  # the descriptor signals events only after a first empty read

    def drain(self) -> None:
        """Handle all pending events. Never raises."""
        while not self._closed:
            try:
                event, descriptor = self._next()
            except zmq.Again:
                return
            except BaseException as error:  # noqa: BLE001 - the edge logs it
                self._edge.loop_failed(self.name, error)
                self._drain_later()
                return
            try:
                self._happened(event, descriptor)
            except BaseException as error:  # noqa: BLE001 - the edge logs it
                self._edge.loop_failed(self.name, error)

    def _drain_later(self) -> None:
        """Schedule another drain after a failed one, which has cleared the descriptor's signal."""
        self._retry.stop()
        self._retry.close()
        self._retry = self._loop.timer(_RETRY)
        self._retry.start(self.drain)

    def _next(self) -> tuple[int, int]:
        """Return the next event; raises `zmq.Again` when there is none."""
        event, descriptor = _EVENT.unpack(self._socket.recv(_NOBLOCK))
        self._socket.recv(_NOBLOCK)  # the endpoint
        return event, descriptor

    def close(self) -> None:
        """Stop monitoring; to be called before the socket itself is closed.

        The order matters: libzmq's thread would wait for ever to send events to a closed socket.
        """
        if not self._closed:
            self.abandon()
            self._watched.monitor(None, 0)
            self._socket.close(0)
            self._happened = _ignore  # so that the link can be freed

    def abandon(self) -> None:
        """Stop using the socket, without closing it."""
        self._closed = True
        self._readable.stop()
        self._readable.close()
        self._retry.stop()
        self._retry.close()
