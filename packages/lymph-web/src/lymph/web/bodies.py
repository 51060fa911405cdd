"""The body of a request: read as it is asked for, never beyond its limit.

A body that is refused or left unread is not read to its end for the sake of the next request: the
connection closes instead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader

from gevent.pywsgi import Input
from gevent.socket import socket as GeventSocket
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
)

from lymph.web.heads import Head

__all__ = ['Body']

# A rest this small is skipped, since a new connection would cost the client more.
_WORTH_SKIPPING = 64 * 1024


class Body(Input):
    """``wsgi.input`` of one request, at most `limit` bytes long.

    Reading raises errors of HTTP: 413 beyond the limit, 408 when the client stalls, 400 when it
    goes away or its chunks are malformed.
    """

    __slots__ = ('_ended', '_fault', '_limit', '_taken')

    def __init__(self, head: Head, rfile: BufferedReader, sock: GeventSocket, limit: int) -> None:
        super().__init__(
            rfile,
            head.content_length,
            socket=sock if head.expects_continue else None,
            chunked_input=head.chunked,
        )
        self._limit = limit
        self._taken = 0
        self._fault: HTTPException | None = None
        self._ended = not head.has_body

    @property
    def unread(self) -> bool:
        """Whether bytes of it may still be on the connection."""
        return not self._ended

    @property
    def abandoned(self) -> bool:
        """Whether the rest is too long, or too uncertain, to be skipped."""
        if self._ended:
            return False
        awaits_continue = self.socket is not None  # the client may never send the body at all
        rest = (self.content_length or 0) - self._taken
        longest = min(_WORTH_SKIPPING, self._limit - self._taken)
        return self._fault is not None or awaits_continue or rest > longest

    def read(self, length: int | None = None) -> bytes:
        """Return up to `length` bytes (None: all), empty at the end."""
        return self._take(super().read, length)

    def readline(self, size: int | None = None) -> bytes:
        """Return up to the next line feed, at most `size` bytes, empty at the end."""
        return self._take(super().readline, size)

    def skip(self) -> None:
        """Read a short rest; a longer or a broken one stays unread."""
        with suppress(HTTPException):
            if not self.abandoned:
                self.read(_WORTH_SKIPPING)
                self.read(1)  # the end of the last chunk

    # pywsgi asks for this after each response, and would read any length of body
    def _discard(self) -> None:
        self.skip()

    def _take(self, read: Callable[[int], bytes], length: int | None) -> bytes:
        if self._ended or length == 0:
            return b''
        if self._fault is not None:
            raise self._fault.with_traceback(None)
        if (self.content_length or 0) > self._limit:
            raise self._failed(RequestEntityTooLarge())
        room = self._limit + 1 - self._taken
        length = room if length is None or length < 0 else min(length, room)
        try:
            data = read(length)
        except TimeoutError as error:
            raise self._failed(RequestTimeout()) from error
        except OSError as error:
            raise self._failed(ClientDisconnected()) from error
        except ValueError as error:  # a chunk without a size
            raise self._failed(BadRequest('The chunks of the body are malformed.')) from error
        self._taken += len(data)
        if self._taken > self._limit:
            raise self._failed(RequestEntityTooLarge())
        at_last_chunk = self.chunked_input and self.chunk_length == 0
        self._ended = not data or self._taken == self.content_length or at_last_chunk
        return data

    def _failed(self, fault: HTTPException) -> HTTPException:
        # reading again fails again, and the next request cannot be told from what is left
        self._fault = fault
        return fault
