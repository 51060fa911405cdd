"""The frames of what every event takes: its publishing and its acknowledgement.

py-amqp makes frames of anything; most of what publishing costs goes there. Here they are made of
the messages that lymph makes (see `messages`) and of nothing else: for any other, or one that needs
more frames, `publish` returns None and py-amqp is to do it. Source: AMQP 0-9-1, 4.2.3 to 4.2.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Any

import amqp

__all__ = ['acknowledge', 'publish']

_END = b'\xce'
_START = Struct('>BHI').pack  # type, channel, size
_METHOD, _HEADER, _BODY = 1, 2, 3
_PUBLISH = b'\x00\x3c\x00\x28\x00\x00'  # class, method, a reserved field
_ACKNOWLEDGE = Struct('>BHIHHQBB').pack
_CONTENT = Struct('>HHQH').pack  # class, weight, size of the body, which properties follow
_BASIC = 60
_ACK = 80
_DOUBLE, _SIZE = Struct('>d').pack, Struct('>I').pack
_OVERHEAD = 8  # bytes of a frame around its payload

_NAMES = frozenset(
    (
        'content_type',
        'content_encoding',
        'application_headers',
        'delivery_mode',
        'message_id',
        'type',
    )
)
_FLAGS = 0xF0A0  # those properties, in that order
_SHORT = 255  # bytes that a short string can have


def publish(
    channel: int, message: amqp.Message, exchange: str, key: str, mandatory: bool, limit: int
) -> bytes | None:
    """Return a method frame, a header and a body frame; None when py-amqp is to make them.

    `limit` is how long a frame may be, in bytes.
    """
    body = message.body
    properties = _properties(message.properties)
    names = exchange.encode(), key.encode()
    if (
        properties is None
        or not isinstance(body, bytes)
        or not 0 < len(body) <= limit - _OVERHEAD
        or max(map(len, names)) > _SHORT
    ):
        return None
    method = b'%b%c%b%c%b%c' % (
        *(_PUBLISH, len(names[0]), names[0], len(names[1]), names[1]),
        mandatory,
    )
    header = _CONTENT(_BASIC, 0, len(body), _FLAGS) + properties
    return b''.join(
        (
            *(_START(_METHOD, channel, len(method)), method, _END),
            *(_START(_HEADER, channel, len(header)), header, _END),
            *(_START(_BODY, channel, len(body)), body, _END),
        )
    )


def acknowledge(channel: int, tag: int, multiple: bool) -> bytes:
    """Return the frame that acknowledges a delivery, or with `multiple` all up to it."""
    return _ACKNOWLEDGE(_METHOD, channel, 13, _BASIC, _ACK, tag, multiple, _END[0])


def _properties(properties: Mapping[str, Any]) -> bytes | None:
    if properties.keys() != _NAMES:
        return None
    headers = _table(properties['application_headers'])
    kind = properties['content_type'].encode()
    encoding = properties['content_encoding'].encode()
    id, topic = properties['message_id'].encode(), properties['type'].encode()
    if headers is None or max(len(kind), len(encoding), len(id), len(topic)) > _SHORT:
        return None
    return b'%c%b%c%b%b%c%c%b%c%b' % (
        *(len(kind), kind, len(encoding), encoding, headers, properties['delivery_mode']),
        *(len(id), id, len(topic), topic),
    )


def _table(values: Mapping[str, Any]) -> bytes | None:
    """Return a table of texts and floats, of a size that fits into any frame."""
    parts = []
    for name, value in values.items():
        key = name.encode()
        if isinstance(value, float):
            parts.append(b'%c%bd%b' % (len(key), key, _DOUBLE(value)))
        elif isinstance(value, str) and len(value) <= _SHORT:
            text = value.encode()
            parts.append(b'%c%bS%b%b' % (len(key), key, _SIZE(len(text)), text))
        else:
            return None
    entries = b''.join(parts)
    return _SIZE(len(entries)) + entries
