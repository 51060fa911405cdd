"""lymph's serializers for kombu: `lymph-msgpack` and `lymph-json`.

kombu registers the entry points of the group ``kombu.serializers``. Each one names a tuple of the
arguments: encoder, decoder, content type, content encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lymph.exceptions import SerializationError
from lymph.serializers import json, msgpack

__all__ = ['SERIALIZERS', 'Serializer', 'decode', 'register_json', 'register_msgpack']


class Serializer(NamedTuple):
    """The arguments of `kombu.serialization.register` for one serializer."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    content_type: str
    content_encoding: str


def _encode_json(value: Any) -> bytes:
    return json.dumps(value).encode()


register_msgpack = Serializer(msgpack.pack, msgpack.unpack, 'application/x-lymph-msgpack', 'binary')
register_json = Serializer(_encode_json, json.loads, 'application/x-lymph-json', 'utf-8')

#: by the names of the entry points
SERIALIZERS = {'lymph-msgpack': register_msgpack, 'lymph-json': register_json}

_BY_CONTENT_TYPE = {each.content_type: each for each in SERIALIZERS.values()}


def decode(data: bytes, content_type: str | None) -> Any:
    """Return the value in the body of a message with one of lymph's content types.

    Raises SerializationError for any other content type, and for data that does not match it.
    """
    serializer = _BY_CONTENT_TYPE.get(content_type or '')
    if serializer is None:
        known = ' or '.join(_BY_CONTENT_TYPE)
        raise SerializationError(f'expected the content type {known}, found {content_type!r}')
    return serializer.decode(data)
