"""Build the frames of the two methods that each event needs: publish and acknowledge.

py-amqp can encode any message, and that takes most of the time of publishing. This module encodes
only the messages that lymph creates (see `messages`), and is faster. A message that cannot be
encoded raises ValueError before anything is sent. Source: AMQP 0-9-1, 4.2.3 to 4.2.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Any

import amqp

__all__ = ['acknowledge', 'publish']

_END = b'\xce'
_START = Struct('>BHI').pack  # type, channel, size
_METHOD, _HEADER, _BODY = 1, 2, 3
_PUBLISH = b'\x00\x3c\x00\x28\x00\x00'  # class, method, a reserved field
_ACKNOWLEDGE = Struct('>BHIHHQBB').pack
_CONTENT = Struct('>HHQH').pack  # class, weight, size of the body, flags of the properties
_BASIC = 60
_ACK = 80
_DOUBLE, _INT, _LONG, _SIZE = (Struct(f'>{each}').pack for each in 'diqI')
_INTS = range(-(2**31) + 1, 2**31)
_LONGS = range(-(2**63), 2**63)
_OVERHEAD = 8  # bytes of a frame around its payload
_SHORT = 255  # bytes of the longest short string


def publish(
    channel: int, message: amqp.Message, exchange: str, key: str, mandatory: bool, limit: int
) -> bytes:
    """Return the frames that publish a message: method, header, and body in one or more frames.

    `limit` is the maximum size of a frame in bytes. Raises ValueError if a name or property is
    longer than 255 bytes, if the header exceeds a frame, or if there are properties or types of
    header values that lymph does not use.
    """
    body: bytes = message.body
    method = b'%b%b%b%c' % (_PUBLISH, _name(exchange), _name(key), mandatory)
    flags, properties = _properties(message.properties)
    header = _CONTENT(_BASIC, 0, len(body), flags) + properties
    most = limit - _OVERHEAD
    if len(header) > most:
        raise ValueError(f'expected headers that fit into a frame of {limit} bytes')
    parts = [
        *(_START(_METHOD, channel, len(method)), method, _END),
        *(_START(_HEADER, channel, len(header)), header, _END),
    ]
    for at in range(0, len(body), most):
        part = body[at : at + most]
        parts += _START(_BODY, channel, len(part)), part, _END
    return b''.join(parts)


def acknowledge(channel: int, tag: int, multiple: bool) -> bytes:
    """Return the frame that acknowledges a delivery, or with `multiple` all up to it.

    `tag` is the delivery tag.
    """
    return _ACKNOWLEDGE(_METHOD, channel, 13, _BASIC, _ACK, tag, multiple, _END[0])


def _properties(properties: Mapping[str, Any]) -> tuple[int, bytes]:
    flags, parts = 0, []
    for name, flag, make in _PROPERTIES:
        if name in properties:
            flags |= flag
            parts.append(make(properties[name]))
    if len(parts) < len(properties):
        unknown = properties.keys() - {name for name, _, _ in _PROPERTIES}
        raise ValueError(f'expected the properties of an event, found {", ".join(unknown)} too')
    return flags, b''.join(parts)


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > _SHORT:
        raise ValueError(f'expected at most {_SHORT} bytes, found {len(data)}: {text[:40]!r}...')
    return b'%c%b' % (len(data), data)


_name = lru_cache(maxsize=1024)(_short)  # for the few texts that most messages share


def _octet(number: int) -> bytes:
    return b'%c' % number


def _table(values: Mapping[str, Any]) -> bytes:
    """Return the encoded table; raises ValueError for values other than text and numbers."""
    parts = []
    for name, value in values.items():
        parts.append(_name(name))
        if isinstance(value, str):
            text = value.encode()
            parts += b'S', _SIZE(len(text)), text
        elif isinstance(value, float):
            parts += b'd', _DOUBLE(value)
        # Signed numbers of 32 and 64 bits; the types are those of RabbitMQ's errata to AMQP 0-9-1,
        # the bounds those of py-amqp.
        elif isinstance(value, int) and value in _LONGS:
            parts += (b'I', _INT(value)) if value in _INTS else (b'l', _LONG(value))
        else:
            raise ValueError(f'expected text or a number of 64 bits as header {name!r}')
    entries = b''.join(parts)
    return _SIZE(len(entries)) + entries


#: the properties of lymph's messages, in the order of their flags
_PROPERTIES: tuple[tuple[str, int, Callable[[Any], bytes]], ...] = (
    ('content_type', 0x8000, _name),
    ('content_encoding', 0x4000, _name),
    ('application_headers', 0x2000, _table),
    ('delivery_mode', 0x1000, _octet),
    ('expiration', 0x0100, _short),
    ('message_id', 0x0080, _short),
    ('type', 0x0020, _name),
)
