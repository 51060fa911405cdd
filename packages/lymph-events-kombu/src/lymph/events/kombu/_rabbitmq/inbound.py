"""Decode frames from the broker: methods, and the messages that some of them carry.

The producer of a message writes its properties and headers, and RabbitMQ passes them on unchanged.
py-amqp raises an error for some of them (text that is not UTF-8, times after the year 9999,
thousands of nested tables, unknown types of values). That ends the connection, and then the next
one, over which the message is delivered again. So this module decodes them without raising errors:

- bytes that are not UTF-8 are escaped (``\\xff``);
- times are Unix seconds; decimals become None, and so do tables and arrays nested deeper than
  `_DEPTH`;
- of truncated properties or tables, the complete values before the end are kept.

Source: AMQP 0-9-1, 4.2.5 and 4.2.6; for the types of values, RabbitMQ's table of errata.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import UnexpectedFrame

__all__ = ['arguments', 'frame_handler', 'properties', 'readable']

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_SIGNATURE = Struct('>HH').unpack_from
_CONTENT = Struct('>HHQH')  # class, weight, size of the body, flags of the properties
_SIZE = Struct('>I').unpack_from
_FLAGS = 2  # bytes at the end of `_CONTENT`
_DEPTH = 4  # enough for x-death, an array of tables with arrays
_DECIMAL = 5  # bytes
_SHORT = 255  # bytes

#: the methods that carry a message, with the types of their arguments
_ARGUMENTS = {
    spec.Basic.Deliver: 'sLbss',
    spec.Basic.GetOk: 'Lbssl',
    spec.Basic.Return: 'Bsss',
}
_NUMBERS = {'L': Struct('>Q'), 'b': Struct('>?'), 'l': Struct('>I'), 'B': Struct('>H')}

#: in the order of their flags, the highest bit first
_PROPERTIES = (
    ('content_type', 's'),
    ('content_encoding', 's'),
    ('application_headers', 'F'),
    ('delivery_mode', 'o'),
    ('priority', 'o'),
    ('correlation_id', 's'),
    ('reply_to', 's'),
    ('expiration', 's'),
    ('message_id', 's'),
    ('timestamp', 'L'),
    ('type', 's'),
    ('user_id', 's'),
    ('app_id', 's'),
    ('cluster_id', 's'),
)

_VALUES = {
    letter: Struct(f'>{format}')
    for letter, format in zip(b'tbBsUuIilLfdT', '?bBhhHiIqqfdQ', strict=True)
}
_TEXT, _BYTES, _ARRAY, _TABLE, _FIXED, _VOID = b'SxAFDV'


class _PartialMessage:
    """A message of which not all frames have arrived."""

    __slots__ = ('body', 'method', 'missing', 'payload', 'properties')

    def __init__(self, method: tuple[int, int], payload: bytes) -> None:
        self.method = method
        self.payload = payload
        self.properties: dict[str, Any] | None = None  # None: the header has not arrived
        self.missing = 0  # bytes of the body
        self.body: list[bytes] = []


def frame_handler(
    connection: amqp.Connection, callback: Callable[[int, tuple[int, int], bytes, Any], object]
) -> Callable[[tuple[int, int, bytes]], bool]:
    """Return a function that handles a frame and returns whether it completes a method.

    `callback` is called for each complete method with its channel, its signature, its bytes, and
    the message or None. The function raises UnexpectedFrame for a frame that AMQP does not allow at
    that point.
    """
    parts: dict[int, _PartialMessage] = {}  # by channel

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        connection.bytes_recv += 1  # by this count py-amqp notices that the broker is alive
        message = parts.get(channel)
        if kind == _METHOD and message is None:
            method = _SIGNATURE(payload)
            if method not in _ARGUMENTS:
                callback(channel, method, payload, None)
                return True
            parts[channel] = _PartialMessage(method, payload)
            return False
        if kind == _HEADER and message is not None and message.properties is None:
            message.missing = _CONTENT.unpack_from(payload)[2]
            message.properties = properties(payload, _CONTENT.size - _FLAGS)
        elif kind == _BODY and message is not None and message.missing > 0:
            message.missing -= len(payload)
            message.body.append(payload)
        elif kind == _HEARTBEAT:
            connection.heartbeats += 1
        else:
            raise UnexpectedFrame(f'found a frame of type {kind} out of its turn')
        if message is None or message.properties is None or message.missing > 0:
            return False
        del parts[channel]
        body = message.body[0] if len(message.body) == 1 else b''.join(message.body)
        found = amqp.Message(body, **message.properties)
        callback(channel, message.method, message.payload, found)
        return True

    return on_frame


def arguments(method: tuple[int, int], payload: bytes) -> list[Any]:
    """Return the arguments of a method that carries a message; `payload` is its bytes."""
    values, at = [], 4
    for letter in _ARGUMENTS[method]:
        value, at = _short(payload, at) if letter == 's' else _number(_NUMBERS[letter], payload, at)
        values.append(value)
    return values


def readable(method: tuple[int, int], payload: bytes) -> bytes:
    """Return the bytes of a method that carries a message, with all texts in valid UTF-8.

    Text that grows by escapes is cut to 255 bytes, the limit of a short string.
    """
    parts = [payload[:4]]
    for letter, value in zip(_ARGUMENTS[method], arguments(method, payload), strict=True):
        if letter == 's':
            text = value.encode()[:_SHORT].decode(errors='ignore').encode()
            parts.append(b'%c%b' % (len(text), text))
        else:
            parts.append(_NUMBERS[letter].pack(value))
    return b''.join(parts)


def properties(data: bytes, at: int = 0) -> dict[str, Any]:
    """Return the properties of a content header; `at` is the offset of their flags."""
    found: dict[str, Any] = {}
    try:
        flags, at = _number(_NUMBERS['B'], data, at)
        for place, (name, kind) in enumerate(_PROPERTIES):
            if flags & 0x8000 >> place:
                found[name], at = _READ[kind](data, at)
    except (struct.error, IndexError):
        pass  # the data is truncated
    return found


def _number(kind: Struct, data: bytes, at: int) -> tuple[Any, int]:
    return kind.unpack_from(data, at)[0], at + kind.size


def _octet(data: bytes, at: int) -> tuple[int, int]:
    return data[at], at + 1


def _long(data: bytes, at: int) -> tuple[int, int]:
    return _number(_NUMBERS['L'], data, at)


def _short(data: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + data[at]
    return _text(data[at + 1 : end]), end


def _text(data: bytes) -> str:
    return data.decode(errors='backslashreplace')


def _headers(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    end = at + 4 + _SIZE(data, at)[0]
    return _table(data, at + 4, end, 0), end


def _table(data: bytes, at: int, end: int, depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    try:
        while at < end:
            name, at = _short(data, at)
            values[name], at = _value(data, at, depth)
    except (struct.error, LookupError):
        pass  # the data is truncated, or a value has a type of unknown size
    return values


def _array(data: bytes, at: int, end: int, depth: int) -> Sequence[Any]:
    values = []
    try:
        while at < end:
            value, at = _value(data, at, depth)
            values.append(value)
    except (struct.error, LookupError):
        pass
    return values


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    letter, at = data[at], at + 1
    if letter in _VALUES:
        return _number(_VALUES[letter], data, at)
    if letter == _VOID:
        return None, at
    if letter == _FIXED:
        # lymph uses no decimals; their size is known, so what follows can still be read.
        return None, at + _DECIMAL
    start = at + 4
    end = start + _SIZE(data, at)[0]
    if letter == _TEXT:
        return _text(data[start:end]), end
    if letter == _BYTES:
        return data[start:end], end
    # LookupError for an unknown type, whose size is unknown too. What is nested too deep is
    # skipped.
    read = _NESTED[letter]
    return (read(data, start, end, depth + 1) if depth < _DEPTH else None), end


_READ: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    's': _short,
    'F': _headers,
    'o': _octet,
    'L': _long,
}
_NESTED: dict[int, Callable[[bytes, int, int, int], Any]] = {_TABLE: _table, _ARRAY: _array}
