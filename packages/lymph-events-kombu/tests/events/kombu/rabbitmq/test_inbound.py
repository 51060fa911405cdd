"""Properties and headers are read for anything that a producer has written."""

from __future__ import annotations

import struct
from datetime import datetime, timezone
from typing import Any

import amqp
import pytest
from amqp.exceptions import UnexpectedFrame
from amqp.serialization import dumps
from hypothesis import given, settings
from hypothesis import strategies as st

from lymph.events.kombu._rabbitmq.inbound import arguments, frame_handler, properties

DELIVER, RETURN, GET_OK = (60, 60), (60, 50), (60, 71)

texts = st.text(st.characters(exclude_categories=['Cs']), max_size=20)
short_texts = texts.map(lambda text: text.encode()[:255].decode(errors='ignore'))
scalars = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | texts
lists = st.lists(scalars, max_size=3)
values = scalars | lists | st.lists(st.dictionaries(short_texts, scalars | lists, max_size=3))
flat = st.dictionaries(short_texts, st.integers(-5, 5) | texts | st.floats(), max_size=5)
messages = st.fixed_dictionaries(
    {},
    optional={
        'content_type': short_texts,
        'content_encoding': short_texts,
        'application_headers': flat,
        'delivery_mode': st.integers(1, 2),
        'priority': st.integers(0, 255),
        'correlation_id': short_texts,
        'expiration': short_texts,
        'message_id': short_texts,
        'timestamp': st.integers(0, 2**64 - 1),
        'type': short_texts,
        'app_id': short_texts,
        'cluster_id': short_texts,
    },
)


def a_table(*entries: tuple[bytes, bytes]) -> bytes:
    data = b''.join(bytes([len(name)]) + name + value for name, value in entries)
    return struct.pack('>I', len(data)) + data


def a_text(data: bytes) -> bytes:
    return b'S' + struct.pack('>I', len(data)) + data


def nested(letter: bytes, depth: int) -> bytes:
    value = b'V'
    for _ in range(depth):
        inside = b'\x01a' + value if letter == b'F' else value
        value = letter + struct.pack('>I', len(inside)) + inside
    return value


def depth_of(value: Any) -> int:
    depth = 0
    while isinstance(value, (dict, list)):
        value = value['a'] if isinstance(value, dict) else value[0]
        depth += 1
    return depth


def headers(table: bytes) -> Any:
    return properties(b'\x20\x00' + table)['application_headers']


@settings(max_examples=50)
@given(messages)
def test_properties_that_py_amqp_writes_are_read(written: dict[str, Any]) -> None:
    data = amqp.Message(b'', **written)._serialize_properties()
    assert repr(sorted(properties(data).items())) == repr(sorted(written.items()))


@settings(max_examples=50)
@given(st.dictionaries(short_texts, values, max_size=3))
def test_headers_that_py_amqp_writes_are_read(written: dict[str, Any]) -> None:
    assert repr(headers(dumps('F', (written,)))) == repr(written)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_no_error(data: bytes) -> None:
    assert isinstance(properties(data), dict)
    assert isinstance(properties(b'\xff\xfc' + data), dict)
    assert isinstance(properties(b'\x20\x00' + a_table((b'a', data))), dict)


@pytest.mark.parametrize(
    ('value', 'read'),
    [
        (b't\x01', True),
        (b's\xff\xfe', -2),  # what RabbitMQ and its clients mean by it
        (b'U\xff\xfe', -2),
        (b'u\xff\xfe', 0xFFFE),
        (b'b\xff', -1),
        (b'B\xff', 255),
        (b'l' + b'\xff' * 8, -1),
        (b'T' + b'\x7f' * 8, 0x7F7F7F7F7F7F7F7F),
        (b'D\xff\x00\x00\x00\x01', None),
        (b'V', None),
        (b'x\x00\x00\x00\x01\xff', b'\xff'),
        (a_text(b'\xff\xed\xa0\x80'), '\\xff\\xed\\xa0\\x80'),
    ],
)
def test_value_and_the_value_after_it_are_read(value: bytes, read: Any) -> None:
    table = a_table((b'\xff', value), (b'next', a_text(b'here')))
    assert headers(table) == {'\\xff': read, 'next': 'here'}


@pytest.mark.parametrize('letter', [b'F', b'A'])
def test_deep_nesting_is_cut_and_values_after_it_are_read(letter: bytes) -> None:
    found = headers(a_table((b'deep', nested(letter, 10_000)), (b'next', a_text(b'here'))))
    assert found['next'] == 'here'
    assert 1 < depth_of(found['deep']) < 10


@pytest.mark.parametrize('value', [b'z', b'l\x00', b'S\x00\x00', b'A\x00', b''])
def test_complete_values_of_a_truncated_table_are_read(value: bytes) -> None:
    table = a_table((b'first', b'I\x00\x00\x00\x01'), (b'bad', value))
    found = properties(b'\x20\x80' + table + b'\x02id')
    assert found['application_headers']['first'] == 1
    assert found['message_id'] == 'id'


def test_times_are_seconds() -> None:
    when = datetime(2016, 2, 19, 12, 30, tzinfo=timezone.utc)
    table = dumps('F', ({'x-death': [{'time': when}]},))
    assert headers(table)['x-death'][0]['time'] == when.timestamp()


def test_names_and_keys_that_are_not_utf_8_are_escaped() -> None:
    payload = b'\x00\x3c\x00\x3c' + b'\x03tag' + struct.pack('>Q', 7) + b'\x01\x01\xfe\x02\xffk'
    assert arguments(DELIVER, payload) == ['tag', 7, True, '\\xfe', '\\xffk']
    payload = b'\x00\x3c\x00\x32\x01\x38\x08NO_ROUTE\x00\x02\xffk'
    assert arguments(RETURN, payload) == [312, 'NO_ROUTE', '', '\\xffk']
    payload = b'\x00\x3c\x00\x47' + struct.pack('>Q', 7) + b'\x00\x00\x01k\x00\x00\x00\x05'
    assert arguments(GET_OK, payload) == [7, False, '', 'k', 5]


class Broker:
    """Takes frames, and records the resulting messages."""

    bytes_recv = heartbeats = 0

    def __init__(self) -> None:
        self.found: list[tuple[int, tuple[int, int], Any]] = []
        self.take = frame_handler(self, self._keep)

    def _keep(self, channel: int, method: tuple[int, int], payload: bytes, message: Any) -> None:
        self.found.append((channel, method, message and message.body))


def method(number: int, channel: int = 1) -> tuple[int, int, bytes]:
    return 1, channel, struct.pack('>HH', 60, number)


def header(size: int, channel: int = 1) -> tuple[int, int, bytes]:
    return 2, channel, struct.pack('>HHQH', 60, 0, size, 0)


def test_frames_of_several_channels_make_their_messages() -> None:
    broker = Broker()
    frames = [
        method(60, 1),
        method(60, 2),
        header(0, 2),
        (8, 0, b''),
        header(3, 1),
        method(80, 3),
        (3, 1, b'ab'),
        (3, 1, b'c'),
    ]
    complete = [broker.take(frame) for frame in frames]
    assert complete == [False, False, True, False, False, True, False, True]
    assert broker.found == [(2, DELIVER, b''), (3, (60, 80), None), (1, DELIVER, b'abc')]
    assert broker.bytes_recv == len(frames)


@pytest.mark.parametrize(
    'frames',
    [
        [header(1)],
        [(3, 1, b'a')],
        [method(60), (3, 1, b'a')],
        [method(60), method(60)],
        [method(60), header(1), header(1)],
        [(4, 1, b'')],
    ],
)
def test_unexpected_frame_ends_the_connection(frames: list[Any]) -> None:
    broker = Broker()
    *before, last = frames
    for frame in before:
        broker.take(frame)
    with pytest.raises(UnexpectedFrame):
        broker.take(last)
