"""lymph's serializers, as kombu finds them."""

from __future__ import annotations

import datetime
import subprocess
import sys
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from kombu import serialization

from lymph.events.kombu.serializers import SERIALIZERS, decode
from lymph.exceptions import SerializationError

VALUES: list[Any] = [
    None,
    {'a': [1, 2.5, True, 'grüße', b'\x00']},
    {1, 2},
    datetime.datetime(2016, 2, 19, 12, 30, 0, 1),
    datetime.datetime(2016, 2, 19, 12, 30, tzinfo=datetime.timezone.utc),
    datetime.date(2016, 2, 19),
    datetime.time(12, 30),
    UUID(int=5),
    Decimal('12.50'),
]


@pytest.mark.parametrize('name', ['lymph-msgpack', 'lymph-json'])
@pytest.mark.parametrize('value', VALUES, ids=lambda value: type(value).__name__)
def test_kombu_dumps_and_loads_with_the_registered_serializers(name: str, value: Any) -> None:
    content_type, encoding, data = serialization.dumps(value, serializer=name)
    assert content_type == SERIALIZERS[name].content_type
    assert serialization.loads(data, content_type, encoding, accept=[content_type]) == value
    assert decode(data, content_type) == value


def test_an_unknown_content_type_is_named() -> None:
    with pytest.raises(SerializationError, match="found 'text/plain'"):
        decode(b'', 'text/plain')


def test_kombu_can_be_imported_without_loading_gevent() -> None:
    program = (
        'import sys, kombu.serialization as s; '
        'assert s.dumps([1], serializer="lymph-msgpack")[2] == b"\\x91\\x01"; '
        'assert not {"gevent", "zmq", "lymph.core.container"} & set(sys.modules)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
