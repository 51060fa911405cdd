"""The frames that lymph makes itself are those that py-amqp makes."""

from __future__ import annotations

import amqp
import pytest
from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps

from lymph.core.events import Event
from lymph.events.kombu._rabbitmq import frames
from lymph.events.kombu._rabbitmq.inbound import properties
from lymph.events.kombu._rabbitmq.messages import again, message_of
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
@pytest.mark.parametrize('headers', [{}, {'trace_id': 'abc'}])
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
    'message',
    [
        a_message(size=LIMIT),
        a_message(size=3 * LIMIT),
        again(a_message(), {}, expiration='100'),
        again(a_message(), {'lymph-attempts': 3, 'lymph-error': 'x' * 2000, 'lymph-died': 1.5}),
        again(amqp.Message(b''), {}),
        again(amqp.Message(b'x', type='t'), {}),
    ],
    ids=['two bodies', 'four bodies', 'expiration', 'headers', 'no body', 'few properties'],
)
def test_a_message_of_another_shape(message: amqp.Message) -> None:
    arguments = dumps('Bssbb', (0, 'lymph', 'order.paid', False, False))
    expected = of_amqp(spec.Basic.Publish, arguments, message)
    assert frames.publish(7, message, 'lymph', 'order.paid', False, LIMIT) == expected


def test_a_large_number_is_read_as_it_was_written() -> None:
    large = {'a': 2**62, 'b': -(2**63), 'c': 2**63 - 1}
    data = frames.publish(7, again(a_message(), large), 'lymph', 'k', False, LIMIT)
    header = data[data.index(b'\x02\x00\x07') + 7 :]
    assert properties(header, 12)['application_headers'].items() >= large.items()


@pytest.mark.parametrize(
    ('message', 'key', 'error'),
    [
        (a_message(), 'k' * 256, 'at most 255 bytes, found 256'),
        (a_message(), '\udc80', 'surrogates not allowed'),
        (again(a_message(), {'error': '\udc80'}), 'k', 'surrogates not allowed'),
        (again(a_message(), {'attempts': 2**63}), 'k', "64 bits as header 'attempts'"),
        (again(a_message(), {'deaths': []}), 'k', "64 bits as header 'deaths'"),
        (again(a_message(), {'error': 'x' * LIMIT}), 'k', 'fit into a frame of 131072 bytes'),
        (again(a_message(), {'x' * 256: 1}), 'k', 'at most 255 bytes'),
        (amqp.Message(b'x', priority=1), 'k', 'found priority too'),
    ],
)
def test_unsendable_message_is_an_error_before_anything_is_sent(
    message: amqp.Message, key: str, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        frames.publish(7, message, 'lymph', key, False, LIMIT)
