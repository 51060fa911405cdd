"""Settings of all sockets of a transport, and how a dead peer is noticed.

Theory: libzmq stops reading from a connection while the socket's queue is full. If the peer
disconnects meanwhile, libzmq's next heartbeat on that connection fails an assertion and aborts the
whole process (libzmq issues 3596, 4364 and 4767; all releases up to 4.3.5). So no socket may have
both a bounded queue and heartbeats of its own:

- A listener has a bounded queue, since any peer may write to it. Callers that send heartbeats also
  send how long they may be silent (ZMTP's TTL); other dead callers are noticed by TCP: keep-alive,
  user timeout.
- A caller has heartbeats and an unbounded queue, which contains only replies to its own requests.

One case remains: a caller's own PING, read from a full queue after that caller has disconnected,
fails the same assertion. The transport `zmtp` does not have this problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import zmq

from lymph.core.transport._zeromq.curve import CurveKeys

__all__ = ['Terms']

_LONGEST_TTL = 6_553_500  # milliseconds; ZMTP writes it as 16 bits of tenths of a second


@dataclass(frozen=True)
class Terms:
    """Limits of a transport; sizes in bytes, times in seconds."""

    max_message_size: int
    unresponsive_timeout: float
    heartbeat_interval: float
    handshake_timeout: float
    connect_timeout: float
    #: milliseconds for which libzmq goes on sending queued messages after a link was closed
    linger: int = 1000
    curve: CurveKeys | None = None

    @property
    def patience(self) -> float:
        """Seconds that connecting and the handshake may take together."""
        return self.connect_timeout + self.handshake_timeout

    def for_each(self, count: int) -> int:
        """Return the milliseconds for which each of `count` addresses of a host is tried."""
        return _milliseconds(self.connect_timeout / max(1, count))

    def listening(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a listening socket."""
        return [
            *self._options(),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, math.ceil(self._interval)),
            (zmq.TCP_KEEPALIVE_INTVL, math.ceil(self._interval)),
            (zmq.TCP_MAXRT, _milliseconds(self.unresponsive_timeout)),
            *(self.curve.listening() if self.curve else ()),
        ]

    def connecting(self) -> list[tuple[int, int | bytes]]:
        """Return the options of a connecting socket."""
        return [
            *self._options(),
            (zmq.RCVHWM, 0),
            (zmq.HEARTBEAT_IVL, _milliseconds(self._interval)),
            (zmq.HEARTBEAT_TIMEOUT, _milliseconds(self.unresponsive_timeout)),
            (zmq.HEARTBEAT_TTL, min(_milliseconds(self.unresponsive_timeout), _LONGEST_TTL)),
            *(self.curve.connecting() if self.curve else ()),
        ]

    @property
    def _interval(self) -> float:
        return min(self.heartbeat_interval, self.unresponsive_timeout / 3)

    def _options(self) -> list[tuple[int, int | bytes]]:
        return [
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, self.max_message_size),
            (zmq.HANDSHAKE_IVL, _milliseconds(self.handshake_timeout)),
            (zmq.CONNECT_TIMEOUT, _milliseconds(self.connect_timeout)),
        ]


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
