"""Over a slow connection replies are late; only silence is a timeout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import amqp
import pytest

from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._rabbitmq import channels
from lymph.events.kombu._rabbitmq.brokers import Broker
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 30.0
MESSAGES, SIZE = 100, 3000


@pytest.fixture
def link(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitmqLink]:
    """A link through the proxy whose broker may be silent for 1.2 s."""
    monkeypatch.setattr(channels, '_REPLY_TIMEOUT', 1.2)
    host, port = proxy.address.split(':')
    broker = Broker({'hostname': host, 'port': int(port), 'heartbeat': 1, 'connect_timeout': 5})
    link = RabbitmqLink('testing', [broker], lambda connection: None)
    link.start()
    yield link
    link.stop(1)


def test_slow_reply_behind_many_messages_is_received(
    link: RabbitmqLink, proxy: FaultProxy, bench: Any
) -> None:
    arrived = []
    with link.channel(PATIENCE) as channel:
        channel.queue_declare(bench.name, exclusive=True, durable=False)
        message = amqp.Message(b'x' * SIZE)
        for _ in range(MESSAGES):
            channel.send(channel.publication(message, '', bench.name, mandatory=False))
        proxy.slow(100_000, 'to_client')
        channel.basic_consume(bench.name, 'slow', callback=arrived.append, no_ack=True, nowait=True)
        eventually(lambda: arrived, PATIENCE)
        with link.channel() as another:
            another.queue_declare(bench.name, passive=True)
        assert len(arrived) == MESSAGES


def test_heartbeats_do_not_count_as_a_reply(link: RabbitmqLink, proxy: FaultProxy) -> None:
    assert link.up.wait(PATIENCE)
    proxy.blackhole('to_server')
    with pytest.raises(BrokerError, match='no reply'), link.channel():
        pass
