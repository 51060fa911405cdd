"""The chunks of a request's body, read strictly and within bounds (RFC 9112, section 7.1).

=========  =================================  ===========================================
state      reads                              then
=========  =================================  ===========================================
SIZE       size, extensions if any, CRLF      DATA, or TRAILERS after a size of 0
DATA       as many bytes as the size says     GAP
GAP        CRLF                               SIZE
TRAILERS   a header field, CRLF               TRAILERS, or ENDED after an empty line
ENDED      nothing
=========  =================================  ===========================================

A size is 1 to 16 hexadecimal digits and nothing else. Extensions and trailers are checked and
dropped; trailers that would change how the request is read are refused. Nothing here reads from a
socket.
"""

from __future__ import annotations

import re

from lymph.exceptions import LymphError

__all__ = ['ChunkError', 'Chunks']

_SIZE, _DATA, _GAP, _TRAILERS, _ENDED = 'size', 'data', 'gap', 'trailers', 'ended'

_LINE = 1024  # bytes of a size with its extensions
_TRAILER_FIELDS = 32
_TRAILER_BYTES = 8 * 1024
# Sizes, extensions and line ends together: 64 KiB, and a quarter of the data. So a body may come in
# 13,000 chunks of one byte, and in any number of them that hold 20 bytes on average.
_FRAMING = 64 * 1024
_DATA_PER_FRAMING = 4

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_EXTENSION = rb';[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?[ \t]*' % (_TOKEN, _TOKEN, _QUOTED)
_SIZE_LINE = re.compile(rb'([0-9A-Fa-f]{1,16})(?:%b)*\r\n' % _EXTENSION)
_SIZE_BEGINS = re.compile(rb'(?:[0-9A-Fa-f]{1,16}(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)?')
_TRAILER_LINE = re.compile(rb'(%b):[\t\x20-\x7e\x80-\xff]*' % _TOKEN)
# A recipient that applies these from a trailer would read a different request.
_REFUSED = frozenset((b'content-length', b'host', b'transfer-encoding'))


class ChunkError(LymphError, ValueError):
    """Bytes that are no chunks, or too many; `status` is the code of the answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class Chunks:
    """Takes chunks apart; `limit` is the longest body, in bytes.

    After a ChunkError nothing can be taken any more.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._state = _SIZE
        self._left = 0  # bytes of the chunk that are still to come
        self._size = 0  # bytes of all chunks so far
        self._framing = 0
        self._trailers = 0
        self._trailer_bytes = 0

    @property
    def ended(self) -> bool:
        """Whether the last chunk and its trailers were taken."""
        return self._state is _ENDED

    def take(self, buffer: bytearray) -> bytes:
        """Remove chunks from the front of `buffer` and return the data in them.

        Nothing is returned when more bytes are needed, or after the end. Raises ChunkError.
        """
        parts: list[bytearray] = []
        at = 0
        while self._state is not _ENDED:
            if self._state is _DATA:
                part = buffer[at : at + self._left]
                used = len(part)
                parts.append(part)
                self._left -= used
                if not self._left:
                    self._state = _GAP
            elif self._state is _GAP:
                used = self._gap(buffer, at)
            elif self._state is _SIZE:
                used = self._size_line(buffer, at)
            else:
                used = self._trailer(buffer, at)
            if not used:
                break
            at += used
        del buffer[:at]
        return b''.join(parts)

    # Each of these returns how many bytes it used, 0 when it needs more.

    def _gap(self, buffer: bytearray, at: int) -> int:
        if buffer.startswith(b'\r\n', at):
            self._state = _SIZE
            return 2
        if bytes(buffer[at : at + 2]) not in (b'', b'\r'):
            raise ChunkError('expected CR LF after the data of a chunk')
        return 0

    def _size_line(self, buffer: bytearray, at: int) -> int:
        found = _SIZE_LINE.match(buffer, at, at + _LINE)
        if found is None:
            # It is too long, or invalid, or incomplete so far.
            begun = buffer[at : at + _LINE]
            if len(begun) == _LINE and b'\n' not in begun:
                raise ChunkError(f'expected at most {_LINE} bytes for the size of a chunk')
            if not _SIZE_BEGINS.fullmatch(begun):
                raise ChunkError('expected a chunk to begin with its size in hexadecimal digits')
            return 0
        self._left = int(found[1], 16)
        self._size += self._left
        if self._size > self._limit:
            raise ChunkError(f'expected at most {self._limit} bytes', 413)
        used = found.end() - at
        # the line, and the CR LF after the data
        self._framing += used + 2
        if self._framing > _FRAMING + self._size // _DATA_PER_FRAMING:
            raise ChunkError('expected fewer and larger chunks')
        self._state = _DATA if self._left else _TRAILERS
        return used

    def _trailer(self, buffer: bytearray, at: int) -> int:
        room = _TRAILER_BYTES - self._trailer_bytes
        line = _line(buffer, at, room)
        # It is too long, or incomplete so far.
        if line is None:
            if len(buffer) - at >= room:
                raise ChunkError(f'expected at most {_TRAILER_BYTES} bytes of trailers', 431)
            return 0
        used = len(line) + 2
        if not line:
            self._state = _ENDED
            return used
        self._trailers += 1
        self._trailer_bytes += used
        if self._trailers > _TRAILER_FIELDS:
            raise ChunkError(f'expected at most {_TRAILER_FIELDS} trailers', 431)
        found = _TRAILER_LINE.fullmatch(line)
        if found is None:
            raise ChunkError('expected trailers of the form `name: value`')
        if found.group(1).lower() in _REFUSED:
            raise ChunkError(f'expected no {found.group(1).decode()} among the trailers')
        return used


def _line(buffer: bytearray, at: int, limit: int) -> bytearray | None:
    """Return the line at `at` without its CRLF; None if it does not end within `limit` bytes."""
    end = buffer.find(b'\n', at, at + limit)
    if end < 0:
        return None
    if end == at or buffer[end - 1] != 13:
        raise ChunkError('expected lines that end with CR LF')
    return buffer[at : end - 1]
