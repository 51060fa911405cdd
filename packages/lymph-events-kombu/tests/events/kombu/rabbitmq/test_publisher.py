"""A publisher over fake connections and channels that record what it sends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import amqp
import gevent
import pytest
from amqp.exceptions import NotFound, PreconditionFailed
from gevent.event import Event as Signal

from lymph.events.kombu import BrokerError
from lymph.events.kombu._connecting.errors import Unsendable
from lymph.events.kombu._rabbitmq import outbox
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class FakeChannel:
    """Records the bodies that are sent over it; `answer` is the broker's confirm."""

    usable = True

    def __init__(self, closing: Signal) -> None:
        self.events: dict[str, set[Callable[..., None]]] = defaultdict(set)
        self.on_closed: Callable[[Exception], None] | None = None
        self.confirms = False
        self.sent: list[bytes] = []
        self.closing = False
        self.broken: Exception | None = None
        self._may_close = closing

    def confirm_select(self) -> None:
        self.confirms = True

    def publication(self, message: amqp.Message, *facts: object) -> bytes:
        if message.body == b'unsendable':
            raise ValueError('no frames')
        return bytes(message.body)

    def send(self, frames: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        self.sent.append(frames)

    def close(self) -> None:
        self.closing = True
        self._may_close.wait()
        if self.broken is not None:
            raise self.broken

    def end(self, error: Exception) -> None:
        """Close the channel as the broker does."""
        if self.on_closed is not None:
            self.on_closed(error)

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

    def unblock(self) -> None:
        self.blocked = False
        for callback in self.when_unblocked:
            callback()

    def channel(self) -> FakeChannel:
        if self.failed:
            raise self.failed[0]
        self.channels.append(FakeChannel(self.may_close))
        return self.channels[-1]

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


class FakeLink:
    trouble = 'cut'


@pytest.fixture
def steps() -> list[str]:
    """What the publisher did with exchanges."""
    return []


@pytest.fixture
def publisher(steps: list[str]) -> Iterator[Any]:
    publisher = Publisher(
        FakeLink(), lambda channel: steps.append('declare'), lambda: steps.append('restore')
    )
    yield publisher
    publisher.stop()


def emit(publisher: Any, *bodies: bytes, timeout: float = PATIENCE, **options: Any) -> list[Any]:
    """Publish in greenlets of their own, and return those."""
    emitters = [
        gevent.spawn(
            publisher.publish,
            Publication(amqp.Message(body), 'events', 'topic', **options),
            timeout,
        )
        for body in bodies
    ]
    gevent.sleep(0)
    return emitters


def refuse_twice(channel: FakeChannel) -> None:
    """Reject the first publication, and again when it is sent again."""
    channel.answer('basic_nack', 1, False)
    before = len(channel.sent)
    eventually(lambda: len(channel.sent) > before, PATIENCE)
    channel.answer('basic_nack', before + 1, False)


def test_publication_rejected_twice_is_sent_over_another_channel(publisher: Any) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    emitters = emit(publisher, b'1')
    refuse_twice(connection.channels[0])
    worn, new = eventually(lambda: len(connection.channels) == 2 and connection.channels, PATIENCE)
    assert worn.closing
    eventually(lambda: new.sent == [b'1'], PATIENCE)
    worn.answer('basic_ack', 1, False)  # late: it means something else over the other channel
    worn.end(PreconditionFailed('late, too'))
    gevent.sleep(0)
    assert not emitters[0].ready()
    new.answer('basic_ack', 1, False)
    emitters[0].get(timeout=PATIENCE)
    assert len(connection.channels) == 2


def test_publication_unconfirmed_by_a_worn_channel_is_sent_over_another(
    publisher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, '_DRAINING', 0.3)
    connection = FakeConnection()
    publisher.prepare(connection)
    emitters = emit(publisher, b'1', b'2')
    refuse_twice(connection.channels[0])
    connection.channels[0].broken = OSError('it cannot be closed')
    eventually(lambda: len(connection.channels) == 2, PATIENCE)
    new = connection.channels[1]
    eventually(lambda: new.sent == [b'1', b'2'], PATIENCE)
    new.answer('basic_ack', 2, True)
    gevent.joinall(emitters, timeout=PATIENCE, raise_error=True)
    assert connection.failed == []


def test_waiting_publications_are_sent_over_a_connection_made_while_a_channel_drains(
    publisher: Any,
) -> None:
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


def test_connection_made_while_a_channel_closes_is_used(
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


def test_unconfirmed_publications_fail_when_the_publisher_stops(publisher: Any) -> None:
    publisher.prepare(FakeConnection())
    emitters = emit(publisher, b'1', b'2')
    publisher.stop()
    for emitter in emitters:
        with pytest.raises(BrokerError, match='the event system was stopped'):
            emitter.get(timeout=PATIENCE)


def test_nothing_is_sent_over_a_blocked_connection_until_it_is_unblocked(publisher: Any) -> None:
    connection = FakeConnection()
    connection.blocked = True
    publisher.prepare(connection)
    (late,) = emit(publisher, b'late', timeout=0.01)
    with pytest.raises(BrokerError, match=r'never sent, the broker takes no events now \(an alarm'):
        late.get(timeout=PATIENCE)
    (emitter,) = emit(publisher, b'1')
    (channel,) = connection.channels
    assert channel.sent == []
    connection.unblock()
    assert channel.sent == [b'1']  # messages that nobody waits for any more are not sent
    channel.answer('basic_ack', 1, False)
    emitter.get(timeout=PATIENCE)


def test_error_of_an_event_that_is_not_confirmed_in_time_has_its_history(publisher: Any) -> None:
    def error_of(emitter: Any) -> str:
        with pytest.raises(BrokerError) as raised:
            emitter.get(timeout=PATIENCE)
        return str(raised.value)

    assert 'never sent, no connection: cut' in error_of(*emit(publisher, b'1', timeout=0.01))
    connection = FakeConnection()
    publisher.prepare(connection)
    text = error_of(*emit(publisher, b'2', timeout=0.01))
    assert 'sent once, the broker does not answer' in text
    (emitter,) = emit(publisher, b'3', timeout=0.05)
    connection.channels[0].answer('basic_nack', 2, False)
    text = error_of(emitter)
    assert 'sent once, refused 1 times (basic.nack), a queue is full' in text
    publisher.down()
    assert 'no connection: cut' in error_of(*emit(publisher, b'4', timeout=0.01))
    publisher.prepare(another := FakeConnection())
    assert another.channels[0].sent == []
    publisher.stop()
    assert 'never sent, no connection: cut' in error_of(*emit(publisher, b'5', timeout=0.01))
    assert another.channels[0].sent == []


@pytest.mark.parametrize('answer', ['basic_ack', 'basic_nack'])
def test_every_confirm_makes_room_for_waiting_publications(publisher: Any, answer: str) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    large, next_one = bytes(8 << 20), b'2'
    emit(publisher, large, next_one)
    (channel,) = connection.channels
    assert channel.sent == [large]
    channel.answer(answer, 1, False)
    assert channel.sent == [large, next_one]


def test_too_many_waiting_publications_are_an_error_at_once(publisher: Any) -> None:
    (emitter,) = emit(publisher, bytes(64 << 20))
    with pytest.raises(BrokerError, match='1 events with 67108864 bytes are waiting already: no c'):
        publisher.publish(Publication(amqp.Message(b'1'), 'events', 'topic'), PATIENCE)
    emitter.kill()


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (NotFound('no exchange'), ['declare', 'restore', 'declare']),
        (PreconditionFailed('too large'), ['declare', 'declare']),
    ],
)
def test_another_channel_is_opened_when_the_broker_closes_one(
    publisher: Any, steps: list[str], error: Exception, expected: list[str]
) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    (emitter,) = emit(publisher, b'1')
    connection.channels[0].end(error)
    eventually(lambda: len(connection.channels) == 2, PATIENCE)
    new = connection.channels[1]
    eventually(lambda: new.sent == [b'1'], PATIENCE)
    assert steps == expected
    assert new.confirms
    new.end(error)  # for the second time, with nothing else sent
    with pytest.raises(BrokerError, match=r'refused: .*(no exchange|too large)'):
        emitter.get(timeout=PATIENCE)


def test_end_of_a_channel_with_its_connection_opens_no_other_and_rejects_nothing(
    publisher: Any,
) -> None:
    (emitter,) = emit(publisher, b'1')
    for _ in range(2):  # the end of a connection says nothing about what was sent
        connection = FakeConnection()
        publisher.prepare(connection)
        connection.connected = False
        for _ in range(2):
            connection.channels[0].end(OSError('cut'))
        publisher.down()
        gevent.sleep(0)
        assert (len(connection.channels), connection.failed) == (1, [])
    publisher.prepare(last := FakeConnection())
    last.channels[0].answer('basic_ack', 1, False)
    emitter.get(timeout=PATIENCE)


def test_connection_that_opens_no_other_channel_is_ended(publisher: Any) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    connection.failed.append(OSError('no more channels'))
    connection.channels[0].end(NotFound('no exchange'))
    eventually(lambda: len(connection.failed) == 2, PATIENCE)


def test_unencodable_publication_is_an_error_and_does_not_affect_others(
    publisher: Any,
) -> None:
    connection = FakeConnection()
    publisher.prepare(connection)
    hopeless, good = emit(publisher, b'unsendable', b'1')
    with pytest.raises(Unsendable, match='cannot be sent: no frames'):
        hopeless.get(timeout=PATIENCE)
    connection.channels[0].answer('basic_ack', 1, False)
    good.get(timeout=PATIENCE)
    (channel,) = connection.channels
    waiting = emit(publisher, b'2', before=lambda channel: channel.declare())
    with pytest.raises(Unsendable, match='declare'):
        waiting[0].get(timeout=PATIENCE)
    channel.usable = False
    waiting = emit(publisher, b'unsendable')  # or is it the channel? the next one will show
    assert not waiting[0].ready()


def test_unencodable_publication_fails_when_it_would_be_sent(publisher: Any) -> None:
    (hopeless,) = emit(publisher, b'unsendable', timeout=2 * PATIENCE)
    publisher.prepare(FakeConnection())
    with pytest.raises(Unsendable):
        hopeless.get(timeout=PATIENCE)


def test_declarations_precede_a_message_each_time_it_is_sent(publisher: Any) -> None:
    first, second = FakeConnection(), FakeConnection()
    publisher.prepare(first)
    emit(publisher, b'1', before=lambda channel: channel.sent.append(b'declared'))
    publisher.down()
    publisher.prepare(second)
    assert first.channels[0].sent == second.channels[0].sent == [b'declared', b'1']


def test_connection_on_which_sending_fails_is_ended(publisher: Any) -> None:
    first, second = FakeConnection(), FakeConnection()
    publisher.prepare(first)
    first.channels[0].broken = error = OSError('cut')
    (emitter,) = emit(publisher, b'1')
    assert first.failed == [error]
    publisher.down()
    publisher.prepare(second)
    second.channels[0].answer('basic_ack', 1, False)
    emitter.get(timeout=PATIENCE)
