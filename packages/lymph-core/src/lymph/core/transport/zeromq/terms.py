"""What holds for all sockets of a transport."""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from lymph.core.transport.zeromq.curve import CurveKeys

__all__ = ['Terms']


@dataclass(frozen=True)
class Terms:
    """Limits of a transport; sizes in bytes, times in seconds."""

    max_message_size: int
    unresponsive_timeout: float
    heartbeat_interval: float
    handshake_timeout: float
    connect_timeout: float
    #: milliseconds that libzmq may go on writing what it was given before a link was closed
    linger: int = 1000
    curve: CurveKeys | None = None

    @property
    def patience(self) -> float:
        """Seconds from the beginning of a connection to the end of its handshake."""
        return self.connect_timeout + self.handshake_timeout

    def listening(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a socket that is connected to."""
        return [*self.options(), *(self.curve.listening() if self.curve else ())]

    def connecting(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a socket that connects."""
        return [*self.options(), *(self.curve.connecting() if self.curve else ())]

    def options(self) -> list[tuple[int, int | bytes]]:
        """Return the options of any socket, for libzmq."""
        interval = min(self.heartbeat_interval, self.unresponsive_timeout / 3)
        return [
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, self.max_message_size),
            (zmq.HANDSHAKE_IVL, _milliseconds(self.handshake_timeout)),
            (zmq.CONNECT_TIMEOUT, _milliseconds(self.connect_timeout)),
            (zmq.HEARTBEAT_IVL, _milliseconds(interval)),
            (zmq.HEARTBEAT_TIMEOUT, _milliseconds(self.unresponsive_timeout)),
        ]


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
