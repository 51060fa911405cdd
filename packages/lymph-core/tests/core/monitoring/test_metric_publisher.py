"""The metrics of a container on a PUB socket, read by plain ZeroMQ subscribers."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import zmq
import zmq.green

import lymph
from lymph.config import Configuration, ConfigurationError
from lymph.core._monitoring.metric_publisher import TOPIC, MetricPublisher
from lymph.core._monitoring.metric_reader import MetricSocket, read_report
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.metrics import Gauge
from lymph.discovery.static import StaticServiceRegistry
from lymph.serializers.msgpack import pack, unpack
from lymph.testing.waiting import eventually

INTERVAL = 0.02
REPORT = {'identity': 'me', 'number': 1, 'time': 1.7e9, 'interval': 2.0, 'series': []}


class Metrics:
    """Metrics that count how often they were read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[Any]:
        self.read += 1
        yield 'reads', self.read, {'zone': 'a'}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def publisher(metrics: Metrics) -> Iterator[MetricPublisher]:
    publisher = MetricPublisher('tcp://127.0.0.1:*', 'me', metrics, INTERVAL)
    yield publisher
    publisher.close()


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Any]]:
    """Return plain sockets that are connected to an endpoint and subscribe to topics."""
    context = zmq.green.Context()

    def subscribe(endpoint: str, *topics: bytes, kind: int = zmq.SUB, ahead: int = 1000) -> Any:
        made = context.socket(kind)
        made.set(zmq.RCVHWM, ahead)
        for topic in topics:
            made.set(zmq.SUBSCRIBE, topic)
        made.connect(endpoint)
        return made

    yield subscribe
    context.destroy(linger=0)


def read(subscriber: Any) -> dict[str, Any]:
    with gevent.Timeout(20):
        topic, packed = subscriber.recv_multipart()
    assert topic == TOPIC
    facts = unpack(packed)
    assert isinstance(facts, dict)
    return facts


@pytest.mark.parametrize('topic', [TOPIC, b'lymph.', b''])
def test_metrics_arrive_with_their_facts_and_numbers(
    publisher: MetricPublisher, subscribe: Callable[..., Any], topic: bytes
) -> None:
    subscriber = subscribe(publisher.endpoint, topic)
    first, second = read(subscriber), read(subscriber)
    assert second['number'] == first['number'] + 1
    assert second.pop('time') >= first['time'] > time.time() - 60
    second.pop('number')
    [[name, value, tags]] = second.pop('series')
    assert (name, tags) == ('reads', {'zone': 'a'})
    assert value == first['series'][0][1] + 1
    assert second == {'identity': 'me', 'interval': INTERVAL}


def test_metrics_are_read_only_while_somebody_listens(
    publisher: MetricPublisher, metrics: Metrics, subscribe: Callable[..., Any]
) -> None:
    turns = []
    note = publisher._note_subscriptions
    publisher._note_subscriptions = lambda: turns.append(note())  # type: ignore[method-assign]
    eventually(lambda: len(turns) > 3)
    assert metrics.read == 0
    other = subscribe(publisher.endpoint, b'other', b'lymph.metrics.more')
    turns.clear()
    eventually(lambda: len(turns) > 3)
    assert metrics.read == 0
    subscriber = subscribe(publisher.endpoint, TOPIC)
    read(subscriber)
    assert publisher.listened_to
    for each in (subscriber, other):
        each.close(0)
    eventually(lambda: not publisher.listened_to, 20)
    before = metrics.read
    turns.clear()
    eventually(lambda: len(turns) > 3)
    assert metrics.read == before


def test_flood_of_subscriptions_and_of_other_messages_does_no_harm(
    publisher: MetricPublisher, subscribe: Callable[..., Any]
) -> None:
    hostile = subscribe(publisher.endpoint, kind=zmq.XSUB)
    for n in range(3_000):
        hostile.send(b'\x01%d' % n)
    for message in (b'', b'\x02', b'\x00' + TOPIC, b'\x01' + b'x' * 100, b'x' * 1000):
        hostile.send(message)
    read(subscribe(publisher.endpoint, TOPIC))
    assert publisher._wanted == {TOPIC}


def test_subscriber_that_does_not_read_delays_nobody_and_costs_bounded_memory(
    publisher: MetricPublisher, subscribe: Callable[..., Any]
) -> None:
    publisher._metrics = Gauge('big', 1.0, {'text': 'x' * 1_000_000})
    slow = subscribe(publisher.endpoint, TOPIC, ahead=1)
    ready = subscribe(publisher.endpoint, TOPIC)
    read(slow)
    for _ in range(20):
        read(ready)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers = [read(ready)['number'] for _ in range(80)]  # 80 MB
    assert numbers == list(range(numbers[0], numbers[0] + 80))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB


def test_metrics_that_cannot_be_packed_are_logged_once_and_come_later(
    publisher: MetricPublisher,
    metrics: Metrics,
    subscribe: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gauge = Gauge('huge', 2.0)
    publisher._metrics = gauge
    subscriber = subscribe(publisher.endpoint, TOPIC)
    read(subscriber)
    gauge.value = 1 << 70
    eventually(lambda: 'cannot publish the metrics' in caplog.text)
    number = publisher._number
    eventually(lambda: publisher._number > number + 3)
    assert caplog.text.count('cannot publish the metrics') == 1
    gauge.value = 3.0
    with gevent.Timeout(20):
        while read(subscriber)['series'] != [['huge', 3.0, {}]]:
            pass


def test_closed_publisher_gives_its_port_back(metrics: Metrics) -> None:
    publisher = MetricPublisher('tcp://127.0.0.1:*', 'me', metrics, INTERVAL)
    publisher.close()
    publisher.close()
    MetricPublisher(publisher.endpoint, 'me', metrics, INTERVAL).close()


def test_port_in_use_is_an_error(publisher: MetricPublisher, metrics: Metrics) -> None:
    with pytest.raises(OSError, match='Address already in use'):
        MetricPublisher(publisher.endpoint, 'me', metrics, INTERVAL)


def test_forked_child_publishes_nothing(
    publisher: MetricPublisher, subscribe: Callable[..., Any]
) -> None:
    subscriber = subscribe(publisher.endpoint, TOPIC)
    read(subscriber)
    child = os.fork()
    if child == 0:
        gevent.sleep(3 * INTERVAL)
        publisher.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    numbers = [read(subscriber)['number'] for _ in range(10)]
    assert numbers == sorted({*numbers})  # each once; a slow subscriber may miss some


def test_reports_are_received_from_where_the_socket_is_connected(
    publisher: MetricPublisher,
) -> None:
    reader = MetricSocket()
    reader.connect(publisher.endpoint)
    with gevent.Timeout(20):
        report = reader.receive()
    assert report is not None
    assert (report.identity, report.interval) == ('me', INTERVAL)
    assert [(name, tags) for name, _, tags in report.series] == [('reads', {'zone': 'a'})]
    reader.close()


@pytest.mark.parametrize(
    'frames',
    [
        [TOPIC],
        [b'lymph.log', pack(REPORT)],
        [TOPIC, b'\xc1'],
        [TOPIC, pack([REPORT])],
        *(
            [TOPIC, pack({**REPORT, name: value})]
            for name, value in (
                ('identity', None),
                ('number', 'one'),
                ('time', float('nan')),
                ('time', -1),
                ('interval', True),
                ('series', {}),
            )
        ),
    ],
)
def test_other_messages_are_no_reports(frames: list[bytes]) -> None:
    assert read_report(frames) is None


def test_series_of_another_form_are_left_out() -> None:
    good = ['a', 1, {'zone': 'b'}]
    series = [good, 'x', ['a', 1], [1, 1, {}], ['a', True, {}], ['a', 'x', {}], ['a', 1, []]]
    report = read_report([TOPIC, pack({**REPORT, 'series': series})])
    assert report is not None
    assert report.series == [tuple(good)]


# Containers.


class Shop(lymph.Interface):
    pass


def make(**settings: Any) -> ServiceContainer:
    section = {'events': {'class': 'null'}, 'metrics': {'interval': 0.1}, **settings}
    container = ServiceContainer.from_config(
        Configuration(section), registry=StaticServiceRegistry()
    )
    container.install_interface(Shop, 'shop')
    return container


@pytest.mark.parametrize(
    ('setting', 'announced'),
    [
        ('tcp://127.0.0.1', 'tcp://127.0.0.1:'),
        ('tcp://localhost:0', 'tcp://127.0.0.1:'),
        ('tcp://*', 'tcp://'),
    ],
)
def test_container_publishes_its_metrics_and_registers_where(
    subscribe: Callable[..., Any], setting: str, announced: str
) -> None:
    container = make(monitoring_endpoint=setting)
    container.start()
    try:
        [(_, instance)] = container.registered
        assert instance.monitoring_endpoint is not None
        assert instance.monitoring_endpoint.startswith(announced)
        assert instance.log_endpoint is None
        found = read(subscribe(instance.monitoring_endpoint, TOPIC))
        assert (found['identity'], found['interval']) == (container.identity, 0.1)
        assert 'rpc.handled' in {name for name, _, _ in found['series']}
    finally:
        container.stop()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections linger
        port = int(instance.monitoring_endpoint.rpartition(':')[2])
        free.bind(('127.0.0.1', port))  # it is closed


def test_unix_socket_is_announced_by_its_path(tmp_path: Any, subscribe: Callable[..., Any]) -> None:
    endpoint = f'ipc://{tmp_path}/metrics'
    container = make(monitoring_endpoint=endpoint)
    container.start()
    try:
        [(_, instance)] = container.registered
        assert instance.monitoring_endpoint == endpoint
        assert read(subscribe(endpoint, TOPIC))['identity'] == container.identity
    finally:
        container.stop()


def test_container_without_the_setting_publishes_nothing() -> None:
    container = make()
    container.start()
    try:
        [(_, instance)] = container.registered
        assert instance.monitoring_endpoint is None
    finally:
        container.stop()


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'monitoring_endpoint': '127.0.0.1:5000'}, 'expected an endpoint like tcp://127.0.0.1'),
        ({'monitoring_endpoint': 'tcp://127.0.0.1:66000'}, 'expected an endpoint like tcp://'),
        ({'metrics': {'interval': 0}}, 'metrics.interval'),
        ({'metrics': {'interval': 0.01}}, 'metrics.interval'),
        ({'metrics': {'intervall': 1}}, 'did you mean'),
    ],
)
def test_invalid_setting_is_an_error_of_one_line(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        make(**settings)
    assert words in str(failure.value)
    assert '\n' not in str(failure.value)


def test_unusable_endpoint_is_a_configuration_error(publisher: MetricPublisher) -> None:
    for setting in (publisher.endpoint, 'tcp://192.0.2.1', 'tcp://host.invalid'):
        container = make(monitoring_endpoint=setting)
        with pytest.raises(ConfigurationError, match='cannot publish the metrics at') as failure:
            container.start()
        assert 'monitoring_endpoint' in str(failure.value)
        assert '\n' not in str(failure.value)
