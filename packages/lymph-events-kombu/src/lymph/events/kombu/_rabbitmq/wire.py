"""The transport of a connection: reads and writes frames over gevent's sockets.

It has the interface of py-amqp's transports. Rules:

- `write` never waits. The data of one turn of the loop is sent by one system call in the hub. The
  greenlet of the wire sends what the socket does not accept at once, and everything over TLS. So
  any greenlet and even the hub may send a method without a reply, and the frames of two methods
  never mix.
- `read_frame` waits; only one greenlet may call it at a time.
- The caller limits the amount: the wire buffers whatever it is given.

The sockets are gevent's whether or not the standard library is patched.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from struct import Struct
from typing import Any

from amqp.exceptions import UnexpectedFrame
from amqp.transport import AMQP_PROTOCOL_HEADER, to_host_port
from gevent import get_hub, socket
from gevent.event import Event

from lymph.core._system.connecting import create_connection
from lymph.core.failures import error_line, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.tls import secure

__all__ = ['Wire']

logger = logging.getLogger(__name__)

_HEADER = Struct('>BHI')  # type, channel, size: AMQP 0-9-1, 4.2.3
_END = 0xCE
_CHUNK = 65536
_CONNECT = 60.0  # seconds; callers have a shorter timeout of their own around it
_MOST = 1 << 21  # bytes in a frame; usually both sides agree on 131072


class Wire:
    """A TCP or TLS connection to `host` (host:port) that carries AMQP frames.

    `ssl` is true or a mapping of options, as in `kombu.Connection`. `socket_settings` has further
    TCP options by number.
    """

    def __init__(
        self,
        host: str,
        ssl: bool | Mapping[str, Any] = False,
        socket_settings: Mapping[int, int] | None = None,
    ) -> None:
        self.address: tuple[str, int] = to_host_port(host)
        self.connected = False
        self.raise_on_initial_eintr = False  # py-amqp's contract; gevent handles EINTR
        self._ssl = ssl
        self._socket_settings = dict(socket_settings or {})
        self.sock: Any = None
        self._in = b''
        self._at = 0
        self._out: list[bytes] = []
        self._flushing = False  # whether a callback will send at the end of this turn
        self._sending = False  # whether the greenlet is sending
        self._soon = get_hub().loop.run_callback
        self._wake = Event()
        self._writer: Greenlet | None = None
        self._broken: OSError | None = None  # why writing has failed

    def connect(self) -> None:
        """Connect and send the protocol header.

        Raises OSError when there is no connection within 60 s, and when the TLS handshake fails.
        """
        self.sock = create_connection(self.address, _CONNECT)
        if self._ssl:
            self.sock = secure(self.sock, self._ssl, self.address[0])
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = {socket.TCP_NODELAY: 1, **self._socket_settings}
        for option, value in options.items():
            self.sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self.connected = True
        self._writer = Greenlet.spawn(self._write_out)
        self.write(AMQP_PROTOCOL_HEADER)

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes at the end of this turn of the loop, without waiting.

        Raises BrokenPipeError, an OSError, when the connection is closed or broken.
        """
        if not self.connected:
            raise BrokenPipeError('the connection is closed')
        self._out.append(bytes(data))  # a copy, because py-amqp reuses its buffer
        if not self._flushing:
            self._flushing = True
            self._soon(self._flush)

    def read_frame(self) -> tuple[int, int, bytes]:
        """Wait for a frame and return its type, channel and payload.

        Raises OSError when the connection ends, and UnexpectedFrame for malformed data.
        """
        while True:
            frame = self._next_frame()
            if frame is not None:
                return frame
            try:
                data = self.sock.recv(_CHUNK)
            except OSError as error:
                # After a failed write, its error says more than the error of the read that follows.
                raise self._broken or error from None
            if not data:
                raise self._broken or ConnectionResetError('the broker closed the connection')
            self._in = self._in[self._at :] + data
            self._at = 0

    @contextmanager
    def having_timeout(self, timeout: float | None) -> Iterator[Any]:
        """Limit reads within a `with` block to `timeout` seconds; they raise TimeoutError then."""
        self.sock.settimeout(timeout)
        try:
            yield self.sock
        finally:
            if self.sock is not None:
                self.sock.settimeout(None)

    def close(self) -> None:
        """Close the socket after one attempt to send what is left. Never waits."""
        self.connected = False
        if self._writer is not None:
            self._writer.kill(block=False)
        if self.sock is None:
            return
        if not self._sending:
            with suppress(OSError):
                self.sock.settimeout(0.0)
                self.sock.send(b''.join(self._out))
        self._out.clear()
        self.sock.close()

    def abandon(self) -> None:
        """Stop sending, in a forked child."""
        self.connected = False
        self._out.clear()

    def _next_frame(self) -> tuple[int, int, bytes] | None:
        data, start = self._in, self._at + _HEADER.size
        if len(data) < start:
            return None
        kind, channel, size = _HEADER.unpack_from(data, self._at)
        end = start + size
        if size > _MOST:
            raise UnexpectedFrame('expected a frame of AMQP 0-9-1, found something else')
        if len(data) <= end:
            return None
        if data[end] != _END:
            raise UnexpectedFrame(f'expected 0xce at the end of a frame, found {data[end]:#04x}')
        self._at = end + 1
        return kind, channel, data[start:end]

    def _flush(self) -> None:
        """Send the data of this turn as far as the socket accepts it now. Runs in the hub."""
        self._flushing = False
        if not self._out or self._sending:
            return  # closed, or the greenlet sends this as well when it is done
        if self._ssl:
            self._wake.set()
            return
        data = b''.join(self._out)
        try:
            sent = os.write(self.sock.fileno(), data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._break(error)
            return
        self._out = [data[sent:]] if sent < len(data) else []
        if self._out:
            self._wake.set()

    def _write_out(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                while self._out:
                    out, self._out = self._out, []
                    self._sending = True
                    self.sock.sendall(b''.join(out))
                    self._sending = False
        except Exception as error:  # noqa: BLE001 - after any error the stream is incomplete
            if isinstance(error, OSError):
                self._break(error)
            else:
                log_failure(logger, error, 'cannot send to the broker')
                self._break(OSError(f'cannot send: {error_line(error)}'))

    def _break(self, error: OSError) -> None:
        """Stop writing, and end the read of the reader with this error."""
        self._broken = error
        self.connected = False
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
