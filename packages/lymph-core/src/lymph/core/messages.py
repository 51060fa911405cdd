"""Messages: the five frames that travel between a caller and a service.

Source: the manual, chapter 6.

=====  ========  ==========================================================================
index  name      content
=====  ========  ==========================================================================
0      id        unique to the message
1      type      REQ, REP, ACK, NACK, ERROR or CANCEL
2      subject   REQ: ``interface.method``; otherwise the id of the request that is answered
                 or, by a CANCEL of its sender, given up
3      headers   a msgpack map
4      body      msgpack; in a REQ a map of arguments
=====  ========  ==========================================================================

A CANCEL is not answered, so nobody makes a `Message` of it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.core.limits import HEADERS
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = [
    'ACK',
    'CANCEL',
    'EMPTY_MAP',
    'ERROR',
    'IDEMPOTENT',
    'NACK',
    'NIL',
    'REP',
    'REPLIES',
    'REQ',
    'TYPES',
    'Message',
    'id_source',
    'unpack_headers',
]

REQ: Final = b'REQ'
REP: Final = b'REP'
ACK: Final = b'ACK'
NACK: Final = b'NACK'
ERROR: Final = b'ERROR'
CANCEL: Final = b'CANCEL'
REPLIES: Final = frozenset({REP, ACK, NACK, ERROR})
TYPES: Final = REPLIES | {REQ}

EMPTY_MAP: Final = pack({})
IDEMPOTENT: Final = pack({'idempotent': True})  # headers of replies from idempotent methods
NIL: Final = pack(None)


def id_source() -> Callable[[], bytes]:
    """Return a function that makes message ids of 16 bytes: a random prefix and a counter.

    The prefix makes ids unique among all sources. A uuid4 would cost ten times as much.
    """
    prefix = os.urandom(8)
    counter = itertools.count(1)
    return lambda: prefix + next(counter).to_bytes(8, 'big')


_new_id = id_source()


class Message:
    """A message; headers and body are unpacked when they are first read.

    Give a new message either `body` and `headers`, or the same already packed. Raises ValueError
    for an unknown type, SerializationError for a body or headers that cannot be packed. Reading
    `headers` or `body` raises SerializationError if the peer sent invalid msgpack, or more than the
    bounds of `lymph.core.limits` allow.
    """

    __slots__ = ('_body', '_headers', 'id', 'packed_body', 'packed_headers', 'subject', 'type')

    REQ, REP, ACK, NACK, ERROR = REQ, REP, ACK, NACK, ERROR

    def __init__(
        self,
        type: bytes,
        subject: str | bytes,
        body: Any = None,
        headers: Mapping[str, Any] | None = None,
        id: bytes | None = None,
        *,
        packed_body: bytes | None = None,
        packed_headers: bytes | None = None,
    ) -> None:
        if type not in TYPES:
            raise ValueError(_no_type(type))
        self.type = type
        self.subject = subject.encode() if isinstance(subject, str) else subject
        self.id = _new_id() if id is None else id
        self.packed_body = pack(body) if packed_body is None else packed_body
        self.packed_headers = pack(headers or {}) if packed_headers is None else packed_headers
        self._body: Any = _UNREAD
        self._headers: Any = _UNREAD

    @property
    def body(self) -> Any:
        """The unpacked body."""
        if self._body is _UNREAD:
            self._body = unpack(self.packed_body)
        return self._body

    @property
    def headers(self) -> dict[str, Any]:
        """The unpacked headers."""
        if self._headers is _UNREAD:
            self._headers = unpack_headers(self.packed_headers)
        return self._headers  # type: ignore[no-any-return]

    def frames(self) -> list[bytes]:
        """Return the five frames."""
        return [self.id, self.type, self.subject, self.packed_headers, self.packed_body]

    @classmethod
    def from_frames(cls, frames: Sequence[bytes]) -> Message:
        """Make a message from received frames; raises ValueError for a wrong count or type."""
        if len(frames) != 5:
            raise ValueError(f'expected a message of 5 frames, found {len(frames)}')
        message = cls.__new__(cls)  # every call comes here: __init__ would cost more
        message.id, message.type, message.subject, message.packed_headers, message.packed_body = (
            frames
        )
        if message.type not in TYPES:
            raise ValueError(_no_type(message.type))
        message._body = message._headers = _UNREAD  # noqa: SLF001 - its own class
        return message

    def is_request(self) -> bool:
        """Tell whether this is a REQ."""
        return self.type == REQ

    def is_reply(self) -> bool:
        """Tell whether this answers a request: a REP, ACK, NACK or ERROR."""
        return self.type != REQ

    def __repr__(self) -> str:
        return f'<Message {self.type.decode()} {quoted(self.subject)} id={self.id[:_SHOWN].hex()}>'


_UNREAD: Final = object()
_SHOWN: Final = 32  # bytes of an id that `repr` shows


def unpack_headers(data: bytes) -> dict[str, Any]:
    """Return unpacked headers; raises SerializationError if they are too long or not a map."""
    if len(data) > HEADERS:
        raise SerializationError(f'expected headers of at most {HEADERS} bytes, found {len(data)}')
    headers = unpack(data)
    if not isinstance(headers, dict):
        raise SerializationError(f'expected headers as a map, found {quoted(headers)}')
    return headers


def _no_type(found: bytes) -> str:
    return f'expected REQ, REP, ACK, NACK or ERROR, found {quoted(found)}'
