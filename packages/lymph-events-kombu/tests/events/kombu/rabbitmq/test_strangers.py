"""Messages of other producers stop no consumer, and can be managed as dead letters."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import amqp
import msgpack as packer
import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.serializers import msgpack
from lymph.testing.waiting import eventually

PATIENCE = 30.0

MSGPACK = b'application/x-lymph-msgpack'
CONTENT_TYPE, ENCODING, HEADERS, ID, TIMESTAMP, TYPE = 0x8000, 0x4000, 0x2000, 0x80, 0x40, 0x20


def short(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def table(*entries: tuple[bytes, bytes]) -> bytes:
    data = b''.join(short(name) + value for name, value in entries)
    return struct.pack('>I', len(data)) + data


def text(data: bytes) -> bytes:
    return b'S' + struct.pack('>I', len(data)) + data


def number(value: int) -> bytes:
    return b'l' + struct.pack('>q', value)


def double(value: float) -> bytes:
    return b'd' + struct.pack('>d', value)


def nested(letter: bytes, depth: int) -> bytes:
    value = b'V'
    for _ in range(depth):
        inside = b'\x01a' + value if letter == b'F' else value
        value = letter + struct.pack('>I', len(inside)) + inside
    return value


def died(*entries: tuple[bytes, bytes]) -> bytes:
    """Return a header x-death that holds one death."""
    death = b'F' + table(*entries)
    return table((b'x-death', b'A' + struct.pack('>I', len(death)) + death))


def headers(*entries: tuple[bytes, bytes]) -> tuple[int, bytes]:
    return CONTENT_TYPE | HEADERS, short(MSGPACK) + table(*entries)


#: what a content header holds: which properties, and their bytes
HOSTILE = {
    'no properties': (0, b''),
    'content type that is not UTF-8': (CONTENT_TYPE, short(b'\xff\xfe')),
    'encoding that is not UTF-8': (CONTENT_TYPE | ENCODING, short(MSGPACK) + short(b'\xff')),
    'id that is not UTF-8': (CONTENT_TYPE | ID, short(MSGPACK) + short(b'\xff' * 255)),
    'type that is a surrogate': (CONTENT_TYPE | TYPE, short(MSGPACK) + short(b'\xed\xa0\x80')),
    'time in milliseconds': (CONTENT_TYPE | TIMESTAMP, short(MSGPACK) + struct.pack('>Q', 2**41)),
    'time beyond the calendar': headers((b'when', b'T' + b'\x7f' * 8)),
    'deep tables': headers((b'deep', nested(b'F', 5000))),
    'deep arrays': headers((b'deep', nested(b'A', 5000))),
    'names and texts that are not UTF-8': headers((b'\xff', text(b'\xff'))),
    'a short number': headers((b'short', b's\x00\x03'), (b'next', text(b'x'))),
    'headers that fill a frame': headers((b'long', text(b'x' * 131_000))),
    'attempts without end': headers((b'lymph-attempts', number(2**63 - 1))),
    'attempts below zero': headers((b'lymph-attempts', number(-(2**63)))),
    'attempts as text': headers((b'lymph-attempts', text(b'1'))),
    'failures without end': headers((b'lymph-failures', number(2**63 - 1))),
    'failures as an array': headers((b'lymph-failures', nested(b'A', 3))),
    'deliveries without end': headers((b'x-delivery-count', number(10**12))),
    'deliveries below zero': headers((b'x-delivery-count', number(-1))),
    'trace id as a table': headers((b'lymph-trace-id', nested(b'F', 3))),
    'trace id of 10 KB': headers((b'lymph-trace-id', text(b'x' * 10_000))),
    'emitted at no time': headers((b'lymph-emitted', double(1e300))),
    'died at no time': headers((b'lymph-died', double(-1e300))),
    'dead already': headers((b'lymph-queue', text(b'q' * 300)), (b'lymph-error', text(b'\x1b[2J'))),
}


@pytest.fixture
def stranger(bench: Any) -> Iterator[Any]:
    """A producer that writes its own frames."""
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    channel = connection.channel()
    channel.confirm_select()

    def publish(
        exchange: bytes, key: bytes, body: bytes, properties: tuple[int, bytes] = headers()
    ) -> None:
        flags, data = properties
        method = b'\x00\x3c\x00\x28\x00\x00' + short(exchange) + short(key) + b'\x00'
        header = struct.pack('>HHQH', 60, 0, len(body), flags) + data
        frames = [(1, method), (2, header), *([(3, body)] if body else [])]
        for kind, payload in frames:
            start = struct.pack('>BHI', kind, channel.channel_id, len(payload))
            connection.transport.write(start + payload + b'\xce')
        channel.wait([amqp.spec.Basic.Ack])

    yield publish
    connection.close()


def event(n: Any) -> bytes:
    return bytes(msgpack.pack({'type': 'x', 'id': 'x', 'body': {'n': n}}))


def deep_sets() -> bytes:
    """Return an event whose parameter is nested sets, each unpacked by the one around it."""
    value: Any = 1
    for _ in range(200):
        value = packer.ExtType(1, packer.packb([value]))
    return bytes(packer.packb({'type': 'x', 'id': 'x', 'body': {'n': value}}))


@pytest.mark.parametrize('options', [{'sequential': True}, {'exclusive': True}], ids=str)
@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
def test_messages_of_other_programs_stop_no_consumer_and_become_dead_letters(
    bench: Any, stranger: Any, queue_type: str, options: dict[str, Any]
) -> None:
    exchange = f'{bench.name}.{queue_type}'
    system, handled = bench.start(queue_type=queue_type, exchange=exchange), []

    def handle(event: Event) -> None:
        if event.body['n'] != 'good':
            raise RuntimeError('cannot be handled')
        handled.append(event.attempt)

    system.declare(Subscription(bench.name, (bench.topic,), handle, **options))
    queue = f'{exchange}.{bench.name}'.encode()
    for name, properties in HOSTILE.items():
        stranger(b'', queue, event(name), properties)
    stranger(b'', queue, b'')
    stranger(b'', queue, deep_sets())
    stranger(b'', queue, msgpack.pack(b'\xff' * 100_000), (CONTENT_TYPE, b'\x01x'))
    bench.emit(system, 'good')
    bench.subscribe(system, handle, retry=1, **options)
    count = len(HOSTILE) + 3

    def all_are_dead() -> Any:
        letters = system.dead_letters.read(bench.name)
        return letters if handled == [1] and len(letters) == count else None

    letters = eventually(all_are_dead, PATIENCE)
    numbers = {letter.event.body['n'] for letter in letters if letter.event is not None}
    assert numbers == HOSTILE.keys() - {'no properties', 'content type that is not UTF-8'}
    assert all(1 <= letter.attempts <= 2_000_002 for letter in letters)
    assert all(letter.error.isprintable() for letter in letters)
    ids = [letter.id for letter in letters]
    assert system.dead_letters.find_all(ids).keys() == set(ids)
    assert system.dead_letters.replay(*ids) == count
    letters = eventually(all_are_dead, PATIENCE)
    assert {letter.id for letter in letters}.isdisjoint(ids)
    assert system.dead_letters.drop(*(letter.id for letter in letters)) == count
    assert system.dead_letters.read(bench.name) == []


@pytest.mark.parametrize('queue_type', ['quorum', 'classic'])
def test_an_event_with_a_key_that_is_not_text_is_handled(
    bench: Any, stranger: Any, queue_type: str
) -> None:
    system, handled = bench.start(queue_type=queue_type, exchange=bench.name), []

    def handle(event: Event) -> None:
        handled.append(event.body['n'])
        if event.body['n'] == 'bad' and event.attempt == 1:
            raise RuntimeError('not yet')

    topics = (f'{bench.name}.#', 'x')
    system.subscribe(Subscription(bench.name, topics, handle, sequential=True, retry=1))
    stranger(bench.name.encode(), bench.name.encode() + b'.\xff\xfe', event('bad'))
    bench.emit(system, 'good')
    eventually(lambda: sorted(handled) == ['bad', 'bad', 'good'], PATIENCE)


@pytest.mark.parametrize(
    'properties',
    [
        headers((b'lymph-queue', text(b'q' * 300)), (b'lymph-attempts', number(-1))),
        headers((b'lymph-queue', text(b'\xff\xfe')), (b'lymph-error', text(b'\xff\x1b[2J\n'))),
        headers((b'lymph-queue', text(b'no such queue')), (b'lymph-died', double(1e300))),
        headers((b'lymph-queue', number(1)), (b'lymph-died', double(-1.0))),
        headers((b'lymph-emitted', double(1e300)), (b'lymph-attempts', text(b'x' * 1000))),
        (CONTENT_TYPE | HEADERS, short(MSGPACK) + died((b'count', text(b'x')))),
        (CONTENT_TYPE | HEADERS, short(MSGPACK) + died((b'time', b'T' + b'\x7f' * 8))),
        (CONTENT_TYPE | HEADERS, short(MSGPACK) + died((b'queue', nested(b'F', 5000)))),
        (CONTENT_TYPE | HEADERS, short(MSGPACK) + died((b'reason', text(b'\xff\n')))),
        (CONTENT_TYPE | HEADERS, short(MSGPACK) + table((b'x-death', nested(b'A', 5000)))),
        (ID, short(b'\xff' * 255)),
    ],
)
def test_dead_letter_of_another_program_is_shown_and_dropped(
    bench: Any, stranger: Any, properties: tuple[int, bytes]
) -> None:
    exchange = 'lymph-strangers'
    system = bench.start(exchange=exchange)
    stranger(f'{exchange}.lymph.dead'.encode(), bench.name.encode(), event('x'), properties)
    (letter,) = eventually(lambda: system.dead_letters.read(), PATIENCE)
    assert letter.error.isprintable()
    assert letter.attempts >= 0
    for moment in (letter.died, letter.emitted or 0.0):
        assert 0 <= moment < 253_402_300_800
    found = system.dead_letters.find(letter.id)
    assert found is not None
    assert found.data == event('x')
    assert system.dead_letters.replay(letter.id) == 0
    assert system.dead_letters.drop(letter.id) == 1
    assert system.dead_letters.read() == []
