"""One connection of a client, without a socket: what its bytes ask for, and what happens next.

=========  ==========================  ======================================  ================
state      waits for                   next                                    at most
=========  ==========================  ======================================  ================
IDLE       the first byte              HEAD                                    `header_timeout`
                                                                               at the beginning,
                                                                               `idle_timeout`
                                                                               between requests
HEAD       the rest of a head          ANSWERING: `receive` returns the head   `header_timeout`
                                       LINGERING: it raises HeadError
ANSWERING  `answered`                  IDLE                                    (reading and
                                       SKIPPING: a short rest of the body      writing have
                                       LINGERING: a rest that is too long      limits)
                                       CLOSED: the answer was the last one
SKIPPING   the rest of the body        IDLE, or LINGERING if it is too long    `stall_timeout`
LINGERING  the client to read its      CLOSED                                  2 seconds
           answer and to close
CLOSED                                 (its owner closes the socket)
=========  ==========================  ======================================  ================

When the client will send no more (`end`), IDLE, HEAD, SKIPPING and LINGERING become CLOSED; an
answer goes on, since the client may only have closed its side, and so does IDLE while requests wait
in `buffer`. When the time is over (`expire`),
IDLE and LINGERING become CLOSED, HEAD and SKIPPING become LINGERING. `stop` closes what is IDLE.

Requests are answered one at a time: bytes that arrive meanwhile stay in `buffer`.
"""

from __future__ import annotations

from typing import Final

from lymph.web._http.bodies import Body
from lymph.web._http.heads import Head, HeadError
from lymph.web._http.limits import Limits
from lymph.web._http.reading import HeadLines
from lymph.web._http.splitting import HeadSplitter

__all__ = ['ANSWERING', 'CLOSED', 'HEAD', 'IDLE', 'LINGERING', 'SKIPPING', 'HttpConnection']

IDLE: Final = 'idle'
HEAD: Final = 'head'
ANSWERING: Final = 'answering'
SKIPPING: Final = 'skipping'
LINGERING: Final = 'lingering'
CLOSED: Final = 'closed'

_LINGER = 2.0  # seconds; RFC 9112, section 9.6: else a reset may discard the answer unread
_END = b'\r\n\r\n'
_FIRST = 0x21  # the lowest byte that a request line begins with


class HttpConnection:
    """The server's side of a connection within `limits`; `splitter` reads heads."""

    __slots__ = (
        '_limits',
        '_lines',
        '_reusable',
        '_splitter',
        'body',
        'buffer',
        'ended',
        'served',
        'state',
    )

    def __init__(self, limits: Limits, splitter: HeadSplitter) -> None:
        self.state: str = IDLE
        #: whether the client will send no more
        self.ended = False
        #: how many requests were answered
        self.served = 0
        #: what has arrived and is not used yet
        self.buffer = bytearray()
        #: the body of the request that is being answered, if it has one
        self.body: Body | None = None
        self._limits = limits
        self._splitter = splitter
        self._lines: HeadLines | None = None
        self._reusable = True  # whether another request may follow the one that is answered

    def patience(self) -> float | None:
        """Return how many seconds the state may last from its beginning; None without a limit."""
        state, limits = self.state, self._limits
        if state is IDLE:
            return limits.idle_timeout if self.served else limits.header_timeout
        if state is HEAD:
            return limits.header_timeout
        if state is SKIPPING:
            return limits.stall_timeout
        return _LINGER if state is LINGERING else None

    def receive(self, data: bytes) -> Head | None:
        """Take bytes that have arrived; return the head of a request to answer, if they end one.

        Raises HeadError for a head that is refused; its answer is the last one.
        """
        if self.state is IDLE and not self.buffer:
            end = data.find(_END) + len(_END)
            if len(_END) <= end <= self._limits.max_header_size and data[0] >= _FIRST:
                if end != len(data):
                    self.buffer += data[end:]
                    data = data[:end]
                return self._request(data)
        self.buffer += data
        return self._go_on()

    def answered(self, reusable: bool) -> None:
        """Handle that the answer was sent; `reusable` tells whether another one can follow it."""
        self.served += 1
        self._reusable = reusable
        self.state = IDLE
        if self.body is not None:
            self._skip(self.body)
        if self.state is IDLE and (not reusable or (self.ended and not self.buffer)):
            self.state = CLOSED

    def end(self) -> None:
        """Handle that the client will send no more."""
        self.ended = True
        # a request that waits in the buffer for its turn is answered
        if self.state is not ANSWERING and not (self.state is IDLE and self.buffer):
            self.state = CLOSED

    def give_up(self) -> None:
        """Handle input that is not HTTP; the client may still have an answer to read."""
        self._linger()

    def expire(self) -> None:
        """Handle that the time for the state is over; raises HeadError for an incomplete head."""
        state = self.state
        if state is HEAD:
            self._linger()
            raise HeadError(408, f'no complete head within {self._limits.header_timeout} s')
        if state is SKIPPING:
            self._linger()
        elif state is not ANSWERING:
            self.state = CLOSED

    def stop(self, patient: bool) -> None:
        """Close if no request is under way; with `patient`, not before the first request."""
        if self.state is IDLE and not self.buffer and (self.served or not patient):
            self.state = CLOSED

    def _go_on(self) -> Head | None:
        """Use what is in the buffer, as the state demands."""
        if self.state is SKIPPING and self.body is not None:
            self._skip(self.body)
        if self.state is LINGERING:
            self.buffer.clear()
        if not self.buffer or self.state not in (IDLE, HEAD):
            return None
        if self._lines is None:
            self._lines = HeadLines()
        self.state = HEAD
        try:
            data = self._lines.take(self.buffer, self._limits)
        except HeadError:
            self._linger()
            raise
        if data is not None:
            return self._request(data)
        if self.ended:
            self.state = CLOSED
        return None

    def _request(self, data: bytes) -> Head:
        try:
            head = self._splitter.read(data)
        except HeadError:
            self._linger()
            raise
        self._lines = None
        self.body = None
        self.state = ANSWERING
        return head

    def _skip(self, body: Body) -> None:
        """Drop what has arrived of a rest of the body, and see whether more is to come."""
        body.skip()
        if not body.unread:
            self.body = None
            self.state = IDLE
        elif body.abandoned or not self._reusable:
            self._linger()
        else:
            self.state = SKIPPING

    def _linger(self) -> None:
        self.body = self._lines = None
        self.buffer.clear()
        self.state = CLOSED if self.ended else LINGERING
