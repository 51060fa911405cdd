"""A socket that receives what many containers publish: their logs, or their metrics.

One socket is connected to all of them, and reconnects by itself.
"""

from __future__ import annotations

from typing import Final

import zmq
import zmq.green

__all__ = ['SubscriberSocket']

_SILENCE: Final = 10_000  # milliseconds after which a connection is given up that answers nothing
_RECONNECT: Final = (100, 2_000)  # milliseconds between attempts, from and to


class SubscriberSocket:
    """Receives the messages about `topic` of all containers that it is connected to.

    `read_ahead` is how many messages may wait to be received; others are dropped. A publisher of
    messages that have more than `largest` bytes is disconnected.
    """

    def __init__(self, topic: bytes, read_ahead: int, largest: int) -> None:
        self._context = zmq.green.Context(io_threads=1)
        self._socket = self._context.socket(zmq.SUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IPV6, 1),
            (zmq.MAXMSGSIZE, largest),
            (zmq.RCVHWM, read_ahead),
            (zmq.RECONNECT_IVL, _RECONNECT[0]),
            (zmq.RECONNECT_IVL_MAX, _RECONNECT[1]),
            (zmq.HEARTBEAT_IVL, _SILENCE // 2),
            (zmq.HEARTBEAT_TIMEOUT, _SILENCE),
            (zmq.SUBSCRIBE, topic),
        ):
            self._socket.set(option, value)

    def connect(self, endpoint: str) -> None:
        """Receive what is published at an endpoint. Raises OSError if it is not one of libzmq."""
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise OSError(error.errno, error.strerror) from error

    def disconnect(self, endpoint: str) -> None:
        """Receive no more of what is published at an endpoint that was connected to."""
        self._socket.disconnect(endpoint)

    def receive_frames(self) -> list[bytes]:
        """Wait for the next message and return its frames."""
        frames: list[bytes] = self._socket.recv_multipart()
        return frames

    def close(self) -> None:
        """Close all connections; nobody may be in `receive` then."""
        self._context.destroy(linger=0)
