"""What a publisher makes of its connections and channels, over ones that only write down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import amqp
import gevent
import pytest
from gevent.event import Event as Signal

from lymph.events.kombu import BrokerError
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class FakeChannel:
    """Notes the bodies that are sent over it; `answer` is what the broker says."""

    usable = True

    def __init__(self, closing: Signal) -> None:
        self.events: dict[str, set[Callable[..., None]]] = defaultdict(set)
        self.on_closed: Callable[[Exception], None] | None = None
        self.sent: list[bytes] = []
        self.closing = False
        self._may_close = closing

    def confirm_select(self) -> None:
        pass

    def publication(self, message: amqp.Message, *facts: object) -> bytes:
        return bytes(message.body)

    def send(self, frames: bytes) -> None:
        self.sent.append(frames)

    def close(self) -> None:
        self.closing = True
        self._may_close.wait()

    def answer(self, event: str, *facts: object) -> None:
        for listener in tuple(self.events[event]):
            listener(*facts)


class FakeConnection:
    """Keeps its channels."""

    connected = True
    blocked = False

    def __init__(self) -> None:
        self.when_unblocked: list[Callable[[], object]] = []
        self.channels: list[FakeChannel] = []
        self.failed: list[Exception] = []
        self.may_close = Signal()
        self.may_close.set()

    def channel(self) -> FakeChannel:
        self.channels.append(FakeChannel(self.may_close))
        return self.channels[-1]

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


class FakeLink:
    trouble = 'cut'


@pytest.fixture
def publisher() -> Iterator[Any]:
    publisher = Publisher(FakeLink(), lambda channel: None, lambda: None)
    yield publisher
    publisher.stop()


def emit(publisher: Any, *bodies: bytes) -> list[Any]:
    """Publish in greenlets of their own, and return those."""
    emitters = [
        gevent.spawn(
            publisher.publish, Publication(amqp.Message(body), 'events', 'topic'), PATIENCE
        )
        for body in bodies
    ]
    gevent.sleep(0)
    return emitters


def refuse_twice(channel: FakeChannel) -> None:
    """Refuse the first publication, and again when it comes again."""
    channel.answer('basic_nack', 1, False)
    before = len(channel.sent)
    eventually(lambda: len(channel.sent) > before, PATIENCE)
    channel.answer('basic_nack', before + 1, False)


def test_what_is_refused_twice_goes_over_another_channel(publisher: Any) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    emitters = emit(publisher, b'1')
    refuse_twice(connection.channels[0])
    worn, new = eventually(lambda: len(connection.channels) == 2 and connection.channels, PATIENCE)
    assert worn.closing
    eventually(lambda: new.sent == [b'1'], PATIENCE)
    worn.answer('basic_ack', 1, False)  # late: it means something else over the other channel
    gevent.sleep(0)
    assert not emitters[0].ready()
    new.answer('basic_ack', 1, False)
    emitters[0].get(timeout=PATIENCE)


def test_a_connection_that_comes_while_a_channel_drains_gets_what_waited(publisher: Any) -> None:
    first, second = FakeConnection(), FakeConnection()
    publisher.prepare(first)
    emitters = emit(publisher, b'1', b'2')
    refuse_twice(first.channels[0])
    emitters += emit(publisher, b'3')
    assert first.channels[0].sent == [b'1', b'2', b'1']  # it drains, since 2 is not answered
    publisher.down()
    publisher.prepare(second)
    (channel,) = second.channels
    assert channel.sent == [b'1', b'2', b'3']
    channel.answer('basic_ack', 3, True)
    gevent.joinall(emitters, timeout=PATIENCE, raise_error=True)
    assert len(first.channels) == 1


def test_a_connection_that_comes_while_a_channel_closes_is_the_one_that_is_used(
    publisher: Any,
) -> None:
    first, second = FakeConnection(), FakeConnection()
    first.may_close.clear()
    publisher.prepare(first)
    emitters = emit(publisher, b'1')
    refuse_twice(first.channels[0])
    eventually(lambda: first.channels[0].closing, PATIENCE)
    publisher.down()
    publisher.prepare(second)
    first.may_close.set()
    gevent.sleep(1e-6)
    assert (len(first.channels), first.failed) == (1, [])
    second.channels[0].answer('basic_ack', 1, False)
    gevent.joinall(emitters, timeout=PATIENCE, raise_error=True)


def test_what_is_under_way_fails_when_the_publisher_stops(publisher: Any) -> None:
    publisher.prepare(FakeConnection())
    emitters = emit(publisher, b'1', b'2')
    publisher.stop()
    for emitter in emitters:
        with pytest.raises(BrokerError, match='the event system was stopped'):
            emitter.get(timeout=PATIENCE)
