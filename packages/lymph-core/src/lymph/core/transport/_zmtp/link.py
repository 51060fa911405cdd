"""A ZMTP link: a session, a socket, a reader callback and a writer."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from time import monotonic

import gevent
from greenlet import getcurrent

from lymph.core._loop.turns import NextTurn
from lymph.core._protocol.zmtp.errors import ProtocolError
from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.liveness import Liveness
from lymph.core._protocol.zmtp.session import ZmtpSession, encode_ping
from lymph.core._system.refusals import made_before_fork
from lymph.core.failures import error_line
from lymph.core.transport._zmtp.flusher import Flusher
from lymph.core.transport._zmtp.sockets import unacknowledged
from lymph.core.transport._zmtp.writer import ANSWERS_BOUND, HIGH_WATER, SMALL, Writer
from lymph.core.transport.base import Link, LinkDown, LinkHandler, MessageTooLong
from lymph.core.transport.buffers import Buffers
from lymph.core.transport.edge import DEAF, Edge

__all__ = ['ZmtpLink']

_READ_SIZE = 65536  # bytes read in one system call
_CAREFUL_SIZE = 4096  # the same while links have to take turns because of `max_buffered`
# Within a batch, answers are sent after so many messages or bytes, and not only at its end, so that
# the peer can process them at the same time.
_FLUSH_EVERY = 16
_FLUSH_SIZE = 65536
_READS_PER_TURN = 16  # after so many reads, or `_TURN` seconds, other links get their turn
_TURN = 0.01
_PING = encode_ping()  # without a TTL: the peer applies its own limit to our silence


class ZmtpLink(Link):
    """One side of a connection; `attach` gives it its socket.

    `ended(link)` is called once when the link is down, so that its owner can forget it. A link that
    `answers` (of a service) stops reading while its peer does not read. The calling side always
    reads on; otherwise both sides could wait with full buffers for each other.

    Reading stops for two independent reasons: `_paused` (the peer does not read, or others get
    their turn), with received messages in `_backlog`, and `_on_hold` (all links together hold too
    much). It resumes when neither is set.
    """

    def __init__(
        self,
        peer: str,
        session: ZmtpSession,
        edge: Edge,
        flusher: Flusher,
        handler: LinkHandler,
        ended: Callable[[ZmtpLink], None],
        max_message_size: int,
        answers: bool,
        buffers: Buffers,
    ) -> None:
        self.peer = peer
        self.up = False
        self._session = session
        self._edge = edge
        self._flusher = flusher
        self._handler: LinkHandler = handler
        self._ended = ended
        self._limit = max_message_size
        self._answers = answers
        self._buffers = buffers
        self._received = buffers.holding(self._give_way, received=True)
        self._next_turn = NextTurn(self._go_on)
        self._paused = False
        self._backlog: list[list[bytes]] = []  # messages that arrived before a pause
        self._behind = 0  # bytes in the backlog
        self._completed = False  # whether a message was completed since the last `_count_received`
        self._on_hold = False  # not read because all links together hold too much
        self._down_reason: str | None = None
        self._sock: socket.socket | None = None
        self._heard = False  # whether data has arrived since the last look
        self._taken = 0  # bytes that a slow peer had acknowledged at the last look
        self._silent_looks = 0

    def attach(self, sock: socket.socket, handshake_timeout: float) -> None:
        """Start the handshake on a connected, non-blocking socket, which the link owns from now on.

        The link goes down if the handshake takes more than `handshake_timeout` seconds.
        """
        if self._down_reason is not None:
            sock.close()
            return
        self._sock = sock
        self.stage = 'the ZMTP handshake'
        loop = gevent.get_hub().loop
        bound = ANSWERS_BOUND if self._answers else HIGH_WATER
        unsent = self._buffers.holding(self._give_way)
        self._writer = Writer(sock, self._flusher, self, unsent, bound)
        self._readable = loop.io(sock.fileno(), 1)
        self._readable.start(self._read)
        self._deadline = loop.timer(handshake_timeout)
        self._deadline.start(
            self._lost, f'no ZMTP handshake from the peer within {handshake_timeout:g} s'
        )
        self._writer.write(self._session.opening())

    @property
    def buffered(self) -> int:
        """Bytes that were sent by callers but not yet accepted by the kernel."""
        return self._writer.buffered if self._sock is not None else 0

    def send(self, frames: Sequence[bytes]) -> None:
        """Send a message; raises LinkDown and MessageTooLong, see `Link.send`."""
        if not self.up:
            raise self._refusal()
        data = encode_message(frames)
        length = len(data)
        if length > self._limit and (size := sum(map(len, frames))) > self._limit:
            raise MessageTooLong(size, self._limit)
        writer = self._writer
        if length > SMALL or writer.buffered > writer.bound:
            if not writer.wait_for_room(length):
                return
            if not self.up:  # it may have gone down while waiting
                raise self._refusal()
        writer.write(data)

    def close(self, reason: str = 'closed') -> None:
        """Write what the kernel accepts at once, then take the link down."""
        if self._sock is not None and self._down_reason is None:
            self._writer.flush()
        self._lost(reason)

    def look(self, liveness: Liveness) -> None:
        """Check whether the peer is alive; called every `liveness.tick` seconds."""
        if not self.up:
            return
        if self._shows_life():
            self._silent_looks = 0
            return
        self._silent_looks += 1
        session = self._session
        reason = liveness.verdict(self._silent_looks, session.answers_ping, session.peer_ttl)
        if reason is not None:
            self._lost(reason)
        elif session.answers_ping and liveness.question_due(self._silent_looks):
            self._write_aside(_PING)

    def _shows_life(self) -> bool:
        """Tell whether data arrived since the last look, or a slow peer has read some of ours.

        Acknowledged bytes count only while there is a backlog of unsent ones: otherwise the peer's
        kernel may have acknowledged them although its process is stopped.
        """
        heard, self._heard = self._heard, False
        assert self._sock is not None
        writer, before = self._writer, self._taken
        self._taken = writer.sent - unacknowledged(self._sock) if writer.buffered else 0
        return heard or self._taken > before or self._on_hold

    def abandon(self) -> None:
        """In a forked child, close the copy of the socket; the connection stays the parent's."""
        if self._down_reason is None:
            self._release(made_before_fork('link'))
            if self._sock is not None:
                self._writer.abandon()
                self._sock.close()

    def has_room(self) -> None:
        """Resume reading if it was paused; called by the writer."""
        if self._paused:
            gevent.get_hub().loop.run_callback(self._go_on)

    def write_failed(self, reason: str) -> None:
        """Take the link down; called by the writer."""
        self._lost(reason)

    def _read(self) -> None:
        """Read and deliver messages. Runs in the hub; writes wait for the end of the batch."""
        self._heard = True
        self._flusher.begin_batch()
        try:
            if self._buffers.tight and not self._received.may_grow:
                self._read_once(_CAREFUL_SIZE)
            elif self._read_once(_READ_SIZE):
                ends = monotonic() + _TURN
                for _ in range(_READS_PER_TURN - 1):
                    if monotonic() >= ends or not self._read_once(_READ_SIZE):
                        break
            if self._session.held or self._received.size:
                self._count_received()
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._failed(error)
        finally:
            self._flusher.end_batch()

    def _read_once(self, size: int) -> bool:
        """Read and deliver one chunk of up to `size` bytes; tell whether there may be more."""
        assert self._sock is not None
        try:
            data = self._sock.recv(size)
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
            self._write_aside(b''.join(answers))
        # before the messages: the first of them may have come together with READY
        if not self.up and session.ready:
            self._now_up()
        if messages:
            self._completed = True
            # a chunk smaller than `size` has emptied the kernel's buffer: no need to read again
            return self._deliver(messages) and len(data) == size
        # `link_up` may have closed the link
        return len(data) == size and self._down_reason is None

    def _deliver(self, messages: list[list[bytes]]) -> bool:
        """Pass messages to the handler; return whether to read more."""
        remaining = iter(messages)
        ends = 0.0
        for count, message in enumerate(remaining, 1):
            if self._down_reason is not None:
                return False
            try:
                self._handler.message_arrived(self, message)
            except BaseException as error:  # noqa: BLE001 - the edge logs it
                self._edge.handler_failed(self.peer, error)
            if self._answers and self._writer.buffered > HIGH_WATER:
                self._pause(list(remaining))
                return False
            if count % _FLUSH_EVERY == 0 or self._writer.buffered >= _FLUSH_SIZE:
                self._flusher.flush()
                now = monotonic()
                ends = ends or now + _TURN
                if now >= ends:
                    self._pause(list(remaining))
                    self._next_turn.ask()
                    return False
        return self._down_reason is None

    def _write_aside(self, command: bytes) -> None:
        """Write a heartbeat, unless the peer does not read."""
        if self._writer.buffered <= HIGH_WATER:
            self._writer.write(command)

    def _pause(self, backlog: list[list[bytes]]) -> None:
        if self._down_reason is None:
            self._paused = True
            self._backlog = backlog
            self._readable.stop()
            self._behind = sum(len(frame) for message in backlog for frame in message)
            self._count_received()

    def _go_on(self) -> None:
        if not self._paused or self._down_reason is not None:
            return
        self._paused = False
        backlog, self._backlog = self._backlog, []
        self._behind = 0
        self._count_received()
        self._flusher.begin_batch()
        try:
            if self._deliver(backlog) and not self._on_hold:
                self._readable.start(self._read)
        except BaseException as error:  # noqa: BLE001 - the edge logs it
            self._failed(error)
        finally:
            self._flusher.end_batch()

    def _count_received(self) -> None:
        """Report the bytes held now; stop reading if all links hold too much, until they do not."""
        renewed, self._completed = self._completed, False
        self._received.set(self._session.held + self._behind, renewed)
        if not self._on_hold and self._received.excessive() and self._down_reason is None:
            self._on_hold = True
            self._readable.stop()
            self._received.hold(self._resume)

    def _resume(self) -> None:
        if self._on_hold and self._down_reason is None:
            self._on_hold = False
            if not self._paused:
                self._readable.start(self._read)

    def _give_way(self, reason: str) -> None:
        """Take the link down because it is the greediest one; see `Buffers`."""
        self._edge.log(logging.WARNING, 'max_buffered', '%s: closed; %s', self.peer, reason)
        self._lost(reason)

    def _failed(self, error: BaseException) -> None:
        """Take the link down after an error of the transport itself; other links go on."""
        self._edge.loop_failed(self.peer, error)
        self._lost(f'reading failed: {error_line(error)}')

    def _now_up(self) -> None:
        self._deadline.stop()
        self._deadline.close()
        self.up = True
        self._edge.tell(self._handler.link_up, self)

    def _lost(self, reason: str) -> None:
        if self._down_reason is not None:
            return
        self._release(reason)
        if self._sock is not None:
            self._writer.close()
            self._sock.close()
        self._ended(self)
        handler, self._handler = self._handler, DEAF
        hub = gevent.get_hub()
        if getcurrent() is hub:
            self._edge.tell(handler.link_down, self, reason)
        else:
            hub.loop.run_callback(self._edge.tell, handler.link_down, self, reason)

    def _release(self, reason: str) -> None:
        """Mark the link as down, stop its watchers and free all received data."""
        self._down_reason = reason
        self.up = False
        self._backlog = []
        self._session.release()
        self._received.end()
        self._next_turn.close()
        if self._sock is not None:
            self._readable.stop()
            self._readable.close()
            self._deadline.stop()
            self._deadline.close()

    def _refusal(self) -> LinkDown:
        reason = self._down_reason or 'the connection is not up yet'
        return LinkDown(f'cannot send to {self.peer}: {reason}')
