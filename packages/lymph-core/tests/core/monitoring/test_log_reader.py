"""Records of published logs, and what is no record."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gevent
import pytest

from lymph.core._monitoring.log_publisher import TOPIC, LogPublisher
from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.core.monitoring.log_reader import LogSocket, read_record
from lymph.serializers.msgpack import pack

GOOD = {
    'identity': 'me',
    'number': 1,
    'time': 1.5,
    'level': 'INFO',
    'levelno': 20,
    'logger': 'a',
    'message': 'b',
    'trace_id': None,
}


@pytest.mark.parametrize(
    'frames',
    [
        [],
        [TOPIC],
        [b'other', pack(GOOD)],
        [TOPIC, pack(GOOD), b''],
        [TOPIC, b'\xc1'],
        [TOPIC, pack([1])],
        [TOPIC, pack({})],
        *([TOPIC, pack({**GOOD, name: object_})] for name in GOOD for object_ in ([], b'x', True)),
        [TOPIC, pack({**GOOD, 'time': float('nan')})],
        [TOPIC, pack({**GOOD, 'time': 1e300})],
        [TOPIC, pack({**GOOD, 'exception': 5})],
    ],
)
def test_invalid_record_is_left_out(frames: list[bytes]) -> None:
    assert read_record(frames) is None


def test_record_is_parsed() -> None:
    assert read_record([TOPIC, pack({**GOOD, 'more': 1})]) == GOOD


@pytest.fixture
def published() -> Iterator[LogPublisher]:
    """Publish what a logger of this test writes."""
    handler = LogStreamHandler()
    logger = logging.getLogger('read')
    logger.addHandler(handler)
    publisher = LogPublisher('tcp://127.0.0.1:*', 'me')
    yield publisher
    publisher.close()
    logger.removeHandler(handler)


def test_records_are_received_from_where_the_socket_is_connected(published: LogPublisher) -> None:
    reader = LogSocket()
    reader.connect(published.endpoint)
    received = gevent.spawn(reader.receive)
    with gevent.Timeout(10):
        while not received.ready():  # until the subscription has arrived
            logging.getLogger('read').warning('hello')
            gevent.sleep(0.01)
    facts = received.get()
    assert (facts['message'], facts['identity']) == ('hello', 'me')
    reader.disconnect(published.endpoint)
    reader.close()


def test_endpoint_that_libzmq_does_not_know_is_an_error() -> None:
    reader = LogSocket()
    with pytest.raises(OSError, match='Invalid argument'):
        reader.connect('nowhere')
    reader.close()
