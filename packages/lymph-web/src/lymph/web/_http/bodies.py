"""The body of a request: read as it is asked for, never beyond its limits.

A body that is refused or left unread is not read to its end for the sake of the next request: the
connection closes instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
)

from lymph.web._http.chunks import ChunkError, Chunks
from lymph.web._http.heads import Head
from lymph.web._http.incoming import Incoming
from lymph.web._http.limits import Limits

__all__ = ['Body']

# A rest this small is skipped, since a new connection would cost the client more.
_WORTH_SKIPPING = 64 * 1024
_FAULTS: dict[int, Callable[[str], HTTPException]] = {
    400: BadRequest,
    413: RequestEntityTooLarge,
    431: RequestHeaderFieldsTooLarge,
}


class Body:
    """``wsgi.input`` of one request.

    `proceed` sends 100 Continue to a client that waits for it. Reading waits for the client, as
    `incoming` does; skipping what an application leaves unread does not. It raises HTTP errors: 413
    beyond `max_body_size`, 408 when the client stalls or takes longer than `body_timeout`, 400 when
    it goes away or its chunks are malformed.
    """

    def __init__(
        self,
        head: Head,
        incoming: Incoming,
        limits: Limits,
        proceed: Callable[[], None] | None = None,
    ) -> None:
        self._incoming = incoming
        self._limits = limits
        self._proceed = proceed if head.expects_continue else None
        self._length = head.content_length or 0
        self._source = Chunks(limits.max_body_size) if head.chunked else _Counted(self._length)
        self._ready = bytearray()  # taken out of `incoming`, not yet read
        self._time_left = limits.body_timeout
        self._skipped = 0  # bytes
        self._fault: HTTPException | None = None

    @property
    def unread(self) -> bool:
        """Whether bytes of it may still be on the connection."""
        return not self._source.ended

    @property
    def abandoned(self) -> bool:
        """Whether the rest is too long, or too uncertain, to be skipped."""
        if not self.unread:
            return False
        awaits_continue = self._proceed is not None  # the client may never send the body at all
        too_long = self._length > self._limits.max_body_size
        rest = self._source.left if isinstance(self._source, _Counted) else 0
        too_much = self._skipped > _WORTH_SKIPPING or rest > _WORTH_SKIPPING
        return self._fault is not None or awaits_continue or too_long or too_much

    def read(self, size: int | None = None) -> bytes:
        """Return `size` bytes (None: all), fewer at the end."""
        if size is None or size < 0:
            while self._more():
                pass
            return self._give(len(self._ready))
        while len(self._ready) < size and self._more():
            pass
        return self._give(size)

    def readline(self, size: int | None = None) -> bytes:
        """Return up to the next line feed, at most `size` bytes, empty at the end."""
        limit = None if size is None or size < 0 else size
        seen = 0  # bytes that were searched: a long line is not searched again with each arrival
        while True:
            end = self._ready.find(b'\n', seen, limit)
            if end >= 0:
                return self._give(end + 1)
            seen = len(self._ready)
            if (limit is not None and seen >= limit) or not self._more():
                return self._give(seen if limit is None else limit)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return the lines; with `hint`, no more of them once they have that many bytes."""
        lines: list[bytes] = []
        total = 0
        for line in self:
            lines.append(line)
            total += len(line)
            if hint is not None and 0 < hint <= total:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b'')

    def skip(self) -> None:
        """Drop what has arrived of a rest that nobody reads, unless it is `abandoned`."""
        self._ready.clear()
        buffer = self._incoming.buffer
        while buffer and self.unread and not self.abandoned:
            before = len(buffer)
            try:
                self._source.take(buffer)
            except ChunkError as error:
                self._failed(_FAULTS[error.status](f'Malformed body: {error}.'))
            self._skipped += before - len(buffer)
            if len(buffer) == before:
                break  # it takes more to go on

    def _give(self, size: int) -> bytes:
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _more(self) -> bool:
        """Wait for more to be `_ready`; return False at the end."""
        if self._fault is not None:
            # the same object each time: without this, its traceback would grow
            raise self._fault.with_traceback(None)
        if self._length > self._limits.max_body_size:
            raise self._failed(RequestEntityTooLarge())
        # Use what has arrived before waiting, perhaps together with the head.
        while not self._source.ended:
            try:
                data = self._source.take(self._incoming.buffer)
            except ChunkError as error:
                raise self._failed(_FAULTS[error.status](f'Malformed body: {error}.')) from error
            if data:
                self._ready += data
                return True
            if not self._source.ended:
                self._receive()
        return False

    def _receive(self) -> None:
        started = time.monotonic()
        try:
            # Only now, when the application asks for the body, and once.
            if self._proceed is not None:
                proceed, self._proceed = self._proceed, None
                proceed()
            timeout = min(self._limits.stall_timeout, self._time_left)
            arrived = timeout > 0 and self._incoming.fill(timeout)
        except TimeoutError as error:
            raise self._failed(RequestTimeout()) from error
        except OSError as error:
            raise self._failed(ClientDisconnected()) from error
        self._time_left -= time.monotonic() - started
        if not arrived:
            # The client went away, or the time for the whole body was over before this was called.
            raise self._failed(ClientDisconnected() if timeout > 0 else RequestTimeout())

    def _failed(self, fault: HTTPException) -> HTTPException:
        # reading again fails again, and the next request cannot be told from what is left
        self._fault = fault
        return fault


class _Counted:
    """A body of as many bytes as its head says."""

    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def ended(self) -> bool:
        return not self.left

    def take(self, buffer: bytearray) -> bytes:
        """Remove bytes of the body from the front of `buffer` and return them."""
        data = bytes(buffer[: self.left])
        del buffer[: self.left]
        self.left -= len(data)
        return data
