"""The log of a process on a PUB socket, read by plain ZeroMQ subscribers."""

from __future__ import annotations

import itertools
import logging
import os
import resource
import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import gevent
import pytest
import zmq
import zmq.green

import lymph
from lymph.config import Configuration, ConfigurationError
from lymph.core import trace
from lymph.core._monitoring.log_publisher import TOPIC, LogPublisher
from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.core.container import ServiceContainer
from lymph.discovery.static import StaticServiceRegistry
from lymph.serializers.msgpack import unpack
from lymph.testing.waiting import eventually

logger = logging.getLogger('shop.orders')

Follow = Callable[[str], 'Subscriber']


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Publish the log of the logger `shop`, and write it nowhere else."""
    shop = logging.getLogger('shop')
    handler = LogStreamHandler()
    shop.addHandler(handler)
    shop.setLevel(logging.INFO)
    shop.propagate = False
    yield
    shop.removeHandler(handler)
    shop.setLevel(logging.NOTSET)
    shop.propagate = True


@pytest.fixture
def publisher() -> Iterator[LogPublisher]:
    publisher = LogPublisher('tcp://127.0.0.1:*', 'me')
    yield publisher
    publisher.close()


class Subscriber:
    """A plain ZeroMQ subscriber."""

    def __init__(self, endpoint: str, ahead: int = 1000) -> None:
        self.context = zmq.green.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.set(zmq.RCVHWM, ahead)
        self.socket.set(zmq.SUBSCRIBE, TOPIC)
        self.socket.connect(endpoint)

    def read(self) -> dict[str, Any]:
        with gevent.Timeout(20):
            topic, packed = self.socket.recv_multipart()
        assert topic == TOPIC
        facts = unpack(packed)
        assert isinstance(facts, dict)
        return facts

    def join(self) -> None:
        """Log until this subscriber is connected, and read all earlier records."""
        poller = zmq.green.Poller()
        poller.register(self.socket, zmq.POLLIN)
        asked = itertools.count()

        def hears() -> bool:
            question, message = f'do you hear {next(asked)}?', None
            logger.info(question)
            while poller.poll(20):
                message = self.read()['message']
            return message == question

        eventually(hears, 20)

    def close(self) -> None:
        self.context.destroy(linger=0)


@pytest.fixture
def follow() -> Iterator[Follow]:
    subscribers = []

    def follow(endpoint: str, **options: int) -> Subscriber:
        subscribers.append(Subscriber(endpoint, **options))
        return subscribers[-1]

    yield follow
    for subscriber in subscribers:
        subscriber.close()


def test_records_arrive_with_their_facts_and_numbers(
    publisher: LogPublisher, follow: Follow
) -> None:
    subscriber = follow(publisher.endpoint)
    subscriber.join()
    trace.set_id('abc')
    logger.warning('%d things', 3)
    try:
        raise ValueError('broken')
    except ValueError:
        logger.exception('with a traceback')
    first, second = subscriber.read(), subscriber.read()
    assert second['number'] == first['number'] + 1
    assert first.pop('time') > 1.7e9
    first.pop('number')
    assert first == {
        'identity': 'me',
        'level': 'WARNING',
        'levelno': 30,
        'logger': 'shop.orders',
        'message': '3 things',
        'trace_id': 'abc',
    }
    assert 'ValueError: broken' in second['exception']


@pytest.mark.parametrize('message', ['lone \udcff', 'x' * 1_000_000, 'two\nlines', '\x1b[2J'])
def test_any_message_arrives_cut_to_its_limit(
    publisher: LogPublisher, follow: Follow, message: str
) -> None:
    subscriber = follow(publisher.endpoint)
    subscriber.join()
    logger.info('%s', message)
    record = logging.makeLogRecord({'name': 'shop', 'msg': '%d', 'args': ('no number',)})
    LogStreamHandler().handle(record)
    found = subscriber.read()['message']
    assert found[:3] == message[:3]
    assert len(found) <= 10_010
    assert 'cannot be formatted' in subscriber.read()['message']


def test_native_threads_log_without_waiting(publisher: LogPublisher, follow: Follow) -> None:
    subscriber = follow(publisher.endpoint)
    subscriber.join()
    gevent.get_hub().threadpool.apply(logger.info, ('from a thread',))
    assert subscriber.read()['message'] == 'from a thread'


def test_records_dropped_from_a_busy_thread_leave_a_gap_in_the_numbers(
    publisher: LogPublisher, follow: Follow
) -> None:
    subscriber = follow(publisher.endpoint, ahead=100_000)
    subscriber.join()
    before = publisher._number
    record = logging.makeLogRecord({'name': 'shop', 'msg': 'x'})

    def flood() -> None:
        for _ in range(20_000):
            LogStreamHandler().handle(record)

    thread = Thread(target=flood)
    thread.start()
    thread.join()  # the loop stands still meanwhile, so that nothing leaves the queue
    eventually(lambda: not publisher._waiting, 20)
    assert publisher._number == before + 20_000
    subscriber.join()  # reads all that has arrived
    logger.info('the last')
    last = subscriber.read()
    assert last['message'] == 'the last'
    assert last['number'] == publisher._number


def test_subscriber_that_does_not_read_costs_bounded_memory_and_no_waiting(
    publisher: LogPublisher, follow: Follow
) -> None:
    subscriber = follow(publisher.endpoint, ahead=1)
    subscriber.join()
    # not through the logger, whose records pytest would keep
    handler, record = LogStreamHandler(), logging.makeLogRecord({'name': 'shop', 'msg': 'x' * 1000})
    for _ in range(5_000):
        handler.handle(record)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40_000):  # 40 MB
        handler.handle(record)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_last_records_are_sent_before_the_socket_closes(follow: Follow) -> None:
    publisher = LogPublisher('tcp://127.0.0.1:*', 'me')
    subscriber = follow(publisher.endpoint)
    subscriber.join()
    logger.info('stopping')
    publisher.close()
    publisher.close()
    logger.info('nobody hears this')
    assert subscriber.read()['message'] == 'stopping'


def test_a_forked_child_publishes_nothing(publisher: LogPublisher, follow: Follow) -> None:
    subscriber = follow(publisher.endpoint)
    subscriber.join()
    child = os.fork()
    if child == 0:
        logger.info('from the child')
        os._exit(0)
    os.waitpid(child, 0)
    logger.info('from the parent')
    assert subscriber.read()['message'] == 'from the parent'


def test_a_port_in_use_is_an_error(publisher: LogPublisher) -> None:
    with pytest.raises(OSError, match='in use'):
        LogPublisher(publisher.endpoint, 'other')


class Shop(lymph.Interface):
    def on_start(self) -> None:
        super().on_start()
        logger.info('open')


def start(endpoint: str, **more: Any) -> tuple[ServiceContainer, StaticServiceRegistry]:
    config = Configuration({'log_endpoint': endpoint, 'events': {'class': 'null'}, **more})
    registry = StaticServiceRegistry()
    container = ServiceContainer.from_config(config, registry=registry)
    container.install_interface(Shop, 'shop')
    container.start()
    return container, registry


@pytest.mark.parametrize(
    ('setting', 'announced'),
    [
        ('tcp://127.0.0.1', 'tcp://127.0.0.1:'),
        ('tcp://127.0.0.1:0', 'tcp://127.0.0.1:'),
        ('tcp://127.0.0.1:*', 'tcp://127.0.0.1:'),
        ('tcp://localhost:*', 'tcp://127.0.0.1:'),
        ('tcp://[::1]:*', 'tcp://[::1]:'),
    ],
)
def test_container_registers_the_endpoint_of_its_log(setting: str, announced: str) -> None:
    container, registry = start(setting)
    try:
        (instance,) = registry.get('shop')
        assert instance.log_endpoint is not None
        assert instance.log_endpoint.startswith(announced)
    finally:
        container.stop()


def test_a_log_at_all_addresses_is_announced_with_the_host_of_the_container() -> None:
    container, registry = start('tcp://*:*', advertise='shop.example')
    try:
        (instance,) = registry.get('shop')
        assert instance.log_endpoint is not None
        assert instance.log_endpoint.startswith('tcp://shop.example:')
    finally:
        container.stop()


def test_a_unix_socket_is_announced_by_its_path(tmp_path: Any, follow: Follow) -> None:
    container, registry = start(f'ipc://{tmp_path}/the log')
    try:
        (instance,) = registry.get('shop')
        assert instance.log_endpoint == f'ipc://{tmp_path}/the log'
        follow(instance.log_endpoint).join()
    finally:
        container.stop()


def test_unusable_endpoint_is_a_configuration_error_of_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        for setting, reason in (
            (f'tcp://127.0.0.1:{port}', 'Address already in use'),
            ('tcp://192.0.2.1:5000', 'Cannot assign requested address'),
            ('tcp://no-such-host.invalid', 'name an address of this machine'),
            ('ipc:///no/such/folder/log', 'No such file or directory'),
        ):
            with pytest.raises(ConfigurationError) as caught:
                start(setting)
            text = str(caught.value)
            assert f'log_endpoint: cannot publish the log at {setting}: ' in text
            assert reason in text
            assert '\n' not in text


def test_stopped_container_publishes_nothing() -> None:
    container, registry = start('tcp://127.0.0.1')
    (instance,) = registry.get('shop')
    endpoint = instance.log_endpoint
    assert endpoint is not None
    container.stop()
    again = LogPublisher(endpoint, 'next')  # the port is free
    again.close()
