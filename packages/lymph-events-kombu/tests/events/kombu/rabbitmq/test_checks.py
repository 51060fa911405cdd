"""What `lymph doctor` finds at RabbitMQ: alarms, and queues of earlier versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import amqp
import gevent
import pytest

from lymph.core.diagnosis import Check, Finding, NotChecked
from lymph.events.base import Subscription
from lymph.events.kombu._checks.alarms import BrokerCheck, alarm_finding
from lymph.events.kombu._checks.old_queues import (
    Facts,
    OldQueue,
    OldQueuesCheck,
    former_names,
    old_queue_findings,
)
from lymph.events.null import NullEventSystem
from lymph.testing.waiting import eventually


@dataclass
class Around:
    """A context with only an event system."""

    events: Any


def found_by(check: Check, events: Any) -> list[Finding]:
    return list(check.run(Around(events)))


@pytest.fixture
def declare(rabbitmq_server: Any) -> Any:
    """Declares queues as another program does, bound to an exchange; all are deleted afterwards."""
    with amqp.Connection(rabbitmq_server.address) as connection:
        channel = connection.channel()
        declared: list[tuple[Any, str]] = []

        def declare(queue: str, exchange: str = '', **arguments: Any) -> None:
            if exchange:
                channel.exchange_declare(exchange, 'topic', auto_delete=False)
                declared.append((channel.exchange_delete, exchange))
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
            declared.append((channel.queue_delete, queue))
            if exchange:
                channel.queue_bind(queue, exchange, '#')
            channel.basic_publish(amqp.Message(b'x'), '', queue)

        yield declare
        for delete, name in reversed(declared):
            delete(name)


def test_an_alarm_of_rabbitmq_is_found_with_its_reason(bench: Any) -> None:
    control = gevent.get_hub().threadpool.apply
    system = bench.start()
    assert found_by(BrokerCheck(), system) == []
    control(bench.server.control, ('set_vm_memory_high_watermark', '0.000001'))
    try:
        [finding] = found_by(BrokerCheck(), system)
        with pytest.raises(NotChecked, match='takes nothing'):
            found_by(OldQueuesCheck(), system)
    finally:
        control(bench.server.control, ('set_vm_memory_high_watermark', '0.4'))
    assert 'low on memory' in finding.found
    assert '127.0.0.1' in finding.expected
    assert 'vm_memory_high_watermark' in finding.advice
    assert found_by(BrokerCheck(), system) == []


def test_queues_of_earlier_versions_without_consumers_are_found(bench: Any, declare: Any) -> None:
    system = bench.start(exchange=f'{bench.name}x')
    handler = Subscription(f'{bench.name}.on_order', ('thing',), lambda event: None)
    system.declare(handler)
    eventually(lambda: system.queues.names())
    assert found_by(OldQueuesCheck(), system) == []
    declare(f'{bench.name}-on_order', 'lymph')
    declare(f'{bench.name}.on_order')
    former, exchange, other = found_by(OldQueuesCheck(), system)
    assert f"'{bench.name}-on_order' (1 waiting)" in former.found
    assert f'delete_queue --if-unused {bench.name}-on_order' in former.advice
    assert "'lymph'" in exchange.found
    assert f"'{bench.name}.on_order' (1 waiting)" in other.found
    assert "'lymph.events'" in other.expected


def test_checks_of_rabbitmq_skip_other_event_systems() -> None:
    for check in (BrokerCheck(), OldQueuesCheck()):
        with pytest.raises(NotChecked):
            found_by(check, NullEventSystem())


def test_an_alarm_of_the_disk_has_other_advice() -> None:
    assert 'disk_free_limit' in alarm_finding('amqp://here', 'low on disk').advice


def test_names_of_earlier_versions_are_derived_from_present_names() -> None:
    assert former_names('shop.on_order') == ['shop-on_order', 'on_order']
    assert former_names('other') == []


def test_listed_queues_are_reported_by_exchange_with_advice() -> None:
    others = {'eu.lymph.dead': [OldQueue('eu.shop.on order', 7)], 'lymph.dead': []}
    facts = Facts('/a b', others={'eu.lymph.dead': others['eu.lymph.dead']})
    [finding] = old_queue_findings(facts)
    assert "'eu'" in finding.expected
    assert finding.found == "'eu.shop.on order' (7 waiting)"
    assert "rabbitmqctl -p '/a b' delete_queue --if-unused 'eu.shop.on order'" in finding.advice
    many = Facts(former=[OldQueue(f'q{number}', 0) for number in range(9)])
    assert 'and 4 more' in next(iter(old_queue_findings(many))).found
