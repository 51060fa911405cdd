"""One connection to the operations port: what its bytes mean, and what is done next.

=========  ============================  =====================================================
state      waits for                     next
=========  ============================  =====================================================
READING    the rest of a head            WAITING or WRITING at a head, WRITING at a bad one;
                                         CLOSED at the end of input, or when the head takes
                                         longer than `_HEAD`, or none comes for `_IDLE`
WAITING    the loop                      WRITING, when it has answered or takes too long
WRITING    room to send                  READING, if the connection is kept alive, LINGERING
                                         if not; CLOSED when that takes longer than `_SEND`
LINGERING  the end of input              CLOSED then, and after `_LINGER`: a client that still
                                         sends would see a reset instead of its answer
=========  ============================  =====================================================

While a connection waits or writes, nothing is read from it: its client can send ahead only what
fits into the buffers of the kernel.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from lymph.core._operations.answers import PortAnswer, as_bytes
from lymph.core._operations.heads import BadHead, OperationsRequest, read_head
from lymph.core._operations.questions import Question
from lymph.core.failures import error_line

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    Arguments = TypeVarTuple('Arguments')

__all__ = ['Pending', 'PortConnection', 'Respond']

Made = TypeVar('Made')

_HEAD: Final = 5.0  # seconds
_IDLE: Final = 90.0  # seconds; longer than the usual intervals of scrapes
_SEND: Final = 30.0  # seconds
_LINGER: Final = 1.0  # seconds
_CHUNK: Final = 16384  # bytes


class Pending(NamedTuple):
    """An answer that needs the loop.

    `finish(answer)` makes it of what the loop has answered, `otherwise()` when that has not
    happened until `deadline` (`time.monotonic`).
    """

    question: Question
    finish: Callable[[object], PortAnswer]
    otherwise: Callable[[], PortAnswer]
    deadline: float


#: answers a request at once, or with the help of the loop; must not block
Respond = Callable[[OperationsRequest], 'PortAnswer | Pending']


class PortConnection:
    """A connection; `sock` is a non-blocking socket that is not monkey-patched."""

    def __init__(self, sock: socket.socket, respond: Respond, now: float) -> None:
        self.sock = sock
        self.state = 'READING'
        #: when something is done even if nothing happens
        self.deadline = now + _HEAD
        self._respond = respond
        self._received = b''
        self._unread = False  # whether there may be a whole head in `_received`
        self._sending = memoryview(b'')
        self._request: OperationsRequest | None = None
        self._pending: Pending | None = None
        self._keep_alive = False

    @property
    def events(self) -> int:
        """The events of poll(2) that this connection waits for."""
        if self.state in ('READING', 'LINGERING'):
            return select.POLLIN
        return select.POLLOUT if self.state == 'WRITING' else 0

    @property
    def idle(self) -> bool:
        """Whether no request is being answered, so that it may be closed to make room."""
        return self.state in ('READING', 'LINGERING')

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self.state = 'CLOSED'
        self.sock.close()

    def happened(self, event: int, now: float) -> None:
        """Go on after an event of poll(2)."""
        if self.state == 'WRITING' and event & select.POLLOUT:
            self._send(now)
        elif self.idle and event & (select.POLLIN | select.POLLHUP):
            self._receive(now)
        elif event & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            self.close()
        self._read_on(now)

    def tick(self, now: float) -> None:
        """Look whether the loop has answered, and whether the time is over."""
        pending = self._pending
        if pending is None:
            if now >= self.deadline:
                self.close()
        elif pending.question.done:
            self._answer(_made(pending.finish, pending.question.answer), now)
        elif now >= pending.deadline:
            self._answer(_made(pending.otherwise), now)
        self._read_on(now)

    def _receive(self, now: float) -> None:
        try:
            data = self.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
        elif self.state == 'READING':
            if not self._received:
                self.deadline = now + _HEAD
            self._received += data
            self._unread = True

    def _read_on(self, now: float) -> None:
        """Answer the heads that were received, one after the other, as far as they can be."""
        while self.state == 'READING' and self._unread:
            self._unread = False
            try:
                found = read_head(self._received)
            except BadHead as error:
                self._request, self._keep_alive = None, False
                self._answer(PortAnswer(error.status, f'{error}\n'), now)
                return
            if found is not None:
                self._request, length = found
                self._received = self._received[length:]
                self._keep_alive = self._request.keep_alive
                self._respond_to(self._request, now)

    def _respond_to(self, request: OperationsRequest, now: float) -> None:
        answer = _made(self._respond, request)
        if isinstance(answer, Pending):
            self.state, self._pending, self.deadline = 'WAITING', answer, answer.deadline
        else:
            self._answer(answer, now)

    def _answer(self, answer: PortAnswer, now: float) -> None:
        self._pending = None
        head_only = self._request is not None and self._request.method == 'HEAD'
        data = as_bytes(answer, head_only=head_only, keep_alive=self._keep_alive, now=time.time())
        self._sending = memoryview(data)
        self.state, self.deadline = 'WRITING', now + _SEND
        self._send(now)

    def _send(self, now: float) -> None:
        try:
            sent = self.sock.send(self._sending)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        self._sending = self._sending[sent:]
        if self._sending:
            return
        if self._keep_alive:
            self.state, self._unread = 'READING', bool(self._received)
            self.deadline = now + (_HEAD if self._received else _IDLE)
        else:
            self._linger(now)

    def _linger(self, now: float) -> None:
        self.state, self.deadline = 'LINGERING', now + _LINGER
        self._received = b''
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()


def _made(make: Callable[[Unpack[Arguments]], Made], *args: Unpack[Arguments]) -> Made | PortAnswer:
    """Return what `make` returns; if it fails, an answer that says so."""
    try:
        return make(*args)
    except Exception as error:  # noqa: BLE001 - the thread goes on, and has nobody else to tell
        return PortAnswer(500, f'{error_line(error)}\n')
