"""Tests read what instances publish of their metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

import lymph
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.testing.monitoring import PublishedMetrics


class Shop(lymph.Interface):
    @lymph.event('order.placed', 'order.paid')
    def on_order(self, event: lymph.Event) -> None:
        pass

    @lymph.event('order.*', sequential=True)
    def on_any(self, event: lymph.Event) -> None:
        pass


@pytest.fixture
def start() -> Iterator[Any]:
    hub, network, containers = StaticServiceRegistryHub(), MemoryNetwork(), []

    def start(**settings: Any) -> ServiceContainer:
        container = ServiceContainer.from_config(
            Configuration({'metrics': {'interval': 0.1}, **settings}),
            registry=hub.create_registry(),
            events=LocalEventSystem(),
            transport=MemoryTransport(network=network),
        )
        containers.append(container)
        container.install_interface(Shop, 'shop')
        container.start()
        return container

    yield start
    for container in containers:
        container.stop()


@pytest.fixture
def metrics() -> Iterator[PublishedMetrics]:
    with PublishedMetrics() as metrics:
        yield metrics


def test_metric_is_waited_for_until_it_is_large_enough(
    start: Any, metrics: PublishedMetrics
) -> None:
    container = start(monitoring_endpoint='tcp://127.0.0.1')
    metrics.follow(container.lookup('shop'))
    assert metrics.value('events.handled') is None
    waiting = gevent.spawn(metrics.wait_for, 'events.handled', 3, 20, queue='shop.on_order')
    for type in ('order.placed', 'order.paid', 'order.paid'):
        container.emit_event(type)
    assert waiting.get(timeout=20) == 3
    metrics.wait_for('events.handled', 6)  # those of the other handler, too
    assert metrics.value('events.handled', queue='shop.on_any') == 3
    assert metrics.latest[container.identity].identity == container.identity


def test_metrics_of_several_instances_are_added(start: Any, metrics: PublishedMetrics) -> None:
    containers = [start(monitoring_endpoint='tcp://127.0.0.1') for _ in range(2)]
    metrics.follow(containers[0].lookup('shop'))
    for container in containers:
        container.emit_event('order.paid')
    assert metrics.wait_for('events.emitted', 2, 20) == 2
    assert set(metrics.latest) == {container.identity for container in containers}


def test_metric_that_stays_too_small_is_an_error_with_its_value(
    start: Any, metrics: PublishedMetrics
) -> None:
    container = start(monitoring_endpoint='tcp://127.0.0.1')
    metrics.follow(container.lookup('shop'))
    metrics.receive()
    with pytest.raises(AssertionError) as failure:
        metrics.wait_for('events.handled', 1, 0.3, queue='shop.on_order')
    assert str(failure.value) == (
        'events.handled, queue shop.on_order: expected 1 within 0.3 s, found 0 in the metrics of '
        '1 instances'
    )


def test_timeout_of_the_test_is_not_taken_for_that_of_the_metric(
    start: Any, metrics: PublishedMetrics
) -> None:
    container = start(monitoring_endpoint='tcp://127.0.0.1')
    metrics.follow(container.lookup('shop'))
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.3):
        metrics.wait_for('events.handled', 1, 20)


def test_instance_that_publishes_nothing_cannot_be_followed(
    start: Any, metrics: PublishedMetrics
) -> None:
    container = start()
    with pytest.raises(ValueError, match=r'set container\.monitoring_endpoint'):
        metrics.follow(container.lookup('shop'))


def test_no_report_is_an_error_in_time(metrics: PublishedMetrics) -> None:
    with pytest.raises(TimeoutError, match=r'no metrics within 0\.05 s'):
        metrics.receive(0.05)
