"""A ZMTP link: a session, a socket, a reader callback and a writer."""

from __future__ import annotations

import socket as stdlib_socket
from collections.abc import Callable, Sequence

import gevent
from gevent.socket import socket
from greenlet import getcurrent

from lymph.core.protocol.zmtp.errors import ProtocolError
from lymph.core.protocol.zmtp.frames import encode_message
from lymph.core.protocol.zmtp.session import Session
from lymph.core.transport.base import Link, LinkDown, LinkHandler
from lymph.core.transport.zmtp.flusher import Flusher
from lymph.core.transport.zmtp.writer import Writer

__all__ = ['ZmtpLink']

HANDSHAKE_TIMEOUT = 10.0  # seconds from the connection to the peer's READY
_READ_SIZE = 65536  # bytes asked for in one system call
_READS_PER_TURN = 16  # then other links get their turn


class ZmtpLink(Link):
    """One side of a connection; `attach` gives it its socket.

    `ended(link)` is called once when the link is gone, for its owner's tables.
    """

    def __init__(
        self,
        peer: str,
        session: Session,
        flusher: Flusher,
        handler: LinkHandler,
        ended: Callable[[ZmtpLink], None],
    ) -> None:
        self.peer = peer
        self.up = False
        self._session = session
        self._flusher = flusher
        self._handler = handler
        self._ended = ended
        self._down = False
        self._sock: socket | None = None

    def attach(self, sock: socket) -> None:
        """Speak ZMTP on a connected socket, which belongs to the link from now on."""
        if self._down:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_NODELAY, 1)
        self._sock = sock
        loop = gevent.get_hub().loop
        self._writer = Writer(sock, self._flusher, self._lost)
        self._readable = loop.io(sock.fileno(), 1)
        self._readable.start(self._read)
        self._deadline = loop.timer(HANDSHAKE_TIMEOUT)
        self._deadline.start(
            self._lost, f'no ZMTP handshake from the peer within {HANDSHAKE_TIMEOUT:g} s'
        )
        self._writer.write(self._session.opening())

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return self._writer.buffered if self._sock is not None else 0

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; see `Link.send`."""
        if not self.up:
            raise LinkDown(f'no connection to {self.peer}')
        if self._writer.wait_for_room():
            if not self.up:  # it may have gone down while waiting
                raise LinkDown(f'the connection to {self.peer} is gone')
            self._writer.write(encode_message(frames))

    def close(self, reason: str = 'closed') -> None:
        """Write what the kernel takes at once, then take the link down."""
        if self._sock is not None and not self._down:
            self._writer.flush()
        self._lost(reason)

    def _read(self) -> None:
        """Deliver what has arrived. Runs in the hub; writes wait for the end of the batch."""
        self._flusher.begin_batch()
        try:
            for _ in range(_READS_PER_TURN):
                if self._down or not self._read_once():
                    break
        finally:
            self._flusher.end_batch()

    def _read_once(self) -> bool:
        """Read and deliver one chunk; return whether there may be more to read."""
        assert self._sock is not None
        try:
            data = self._sock.recv(_READ_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lost(f'read failed: {error.strerror or error}')
            return False
        if not data:
            self._lost('closed by the peer')
            return False
        session = self._session
        try:
            messages = session.receive(data)
        except ProtocolError as error:
            self._lost(str(error))
            return False
        if session.answers:
            answers, session.answers = session.answers, []
            self._writer.write(b''.join(answers))
        if not self.up and session.ready:
            self._now_up()
        for message in messages:
            if self._down:
                break
            self._handler.message_arrived(self, message)
        return len(data) == _READ_SIZE

    def _now_up(self) -> None:
        self._deadline.stop()
        self._deadline.close()
        self.up = True
        self._handler.link_up(self)

    def _lost(self, reason: str) -> None:
        if self._down:
            return
        self._down = True
        self.up = False
        if self._sock is not None:
            self._readable.stop()
            self._readable.close()
            self._deadline.stop()
            self._deadline.close()
            self._writer.close()
            self._sock.close()
        self._ended(self)
        hub = gevent.get_hub()
        if getcurrent() is hub:
            self._handler.link_down(self, reason)
        else:
            hub.loop.run_callback(self._handler.link_down, self, reason)
