"""The frames that lymph makes itself are those that py-amqp makes."""

from __future__ import annotations

import amqp
import pytest
from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps

from lymph.core.events import Event
from lymph.events.kombu import frames
from lymph.events.kombu.messages import again, message_of
from lymph.events.kombu.serializers import SERIALIZERS

LIMIT = 131072


class Connection:
    frame_max = LIMIT
    bytes_sent = 0

    def __init__(self) -> None:
        self.written = b''

    def write(self, data: memoryview) -> None:
        self.written += bytes(data)


def of_amqp(method: tuple[int, int], arguments: bytes, message: amqp.Message | None) -> bytes:
    connection = Connection()
    frame_writer(connection, connection)(1, 7, method, arguments, message)
    return connection.written


def a_message(serializer: str = 'lymph-msgpack', size: int = 10, **headers: str) -> amqp.Message:
    event = Event('order.päid', {'text': 'x' * size}, 'shop', headers)
    return message_of(event, SERIALIZERS[serializer], 1700000000.25)


@pytest.mark.parametrize('serializer', list(SERIALIZERS))
@pytest.mark.parametrize('mandatory', [True, False])
@pytest.mark.parametrize('headers', [{}, {'trace_id': 'spür'}])
def test_a_publication(serializer: str, mandatory: bool, headers: dict[str, str]) -> None:
    message = a_message(serializer, **headers)
    arguments = dumps('Bssbb', (0, 'lymph', 'order.päid', mandatory, False))
    expected = of_amqp(spec.Basic.Publish, arguments, message)
    assert frames.publish(7, message, 'lymph', 'order.päid', mandatory, LIMIT) == expected


@pytest.mark.parametrize('multiple', [True, False])
def test_an_acknowledgement(multiple: bool) -> None:
    expected = of_amqp(spec.Basic.Ack, dumps('Lb', (1 << 40, multiple)), None)
    assert frames.acknowledge(7, 1 << 40, multiple) == expected


@pytest.mark.parametrize(
    ('message', 'key'),
    [
        (a_message(size=LIMIT), 'order.paid'),
        (again(a_message(), {}, expiration='100'), 'order.paid'),
        (amqp.Message(b'x'), 'order.paid'),
        (a_message(), 'k' * 256),
    ],
    ids=['too long for a frame', 'another property', 'no properties', 'a key that does not fit'],
)
def test_what_is_left_to_py_amqp(message: amqp.Message, key: str) -> None:
    assert frames.publish(7, message, 'lymph', key, False, LIMIT) is None
