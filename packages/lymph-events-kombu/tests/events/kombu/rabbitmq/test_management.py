"""RabbitMQ's management API adds bytes and running events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import amqp
import gevent
import pytest
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.kombu._checks.old_queues import OldQueuesCheck
from lymph.events.kombu._rabbitmq.settings import RabbitmqSettings
from lymph.events.kombu._redis.settings import RedisSettings
from lymph.exceptions import ConfigurationError
from lymph.testing._servers.ports import free_port
from lymph.testing.servers import RabbitmqServer
from lymph.testing.waiting import eventually

PATIENCE = 30.0


@dataclass
class Around:
    """The context of a check, with only an event system."""

    events: Any


class Managed(RabbitmqServer):
    """A RabbitMQ with its management API, whose statistics are half a second old at most."""

    def _write_configuration(self) -> None:
        super()._write_configuration()
        self.api = free_port()
        (self.folder / 'enabled_plugins').write_text('[rabbitmq_management].\n')
        with (self.folder / 'rabbitmq.conf').open('a') as file:
            file.write(
                f'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.api}\n'
                'collect_statistics_interval = 500\n'
            )


@pytest.fixture(scope='module')
def managed() -> Iterator[Managed]:
    with Managed() as server:
        _declare_old_queues(server)  # before all tests: the API tells of idle queues after a while
        yield server


def _declare_old_queues(server: Managed) -> None:
    with amqp.Connection(server.address) as connection:
        channel = connection.channel()
        channel.exchange_declare('lymph', 'topic', auto_delete=False)
        channel.queue_declare('from 0.15', durable=True, auto_delete=False)
        channel.queue_bind('from 0.15', 'lymph', '#')
        arguments = {'x-dead-letter-exchange': 'eu.lymph.dead'}
        channel.queue_declare('eu.shop.on', durable=True, auto_delete=False, arguments=arguments)


def test_management_api_adds_bytes_running_events_and_unrecorded_queues(
    bench: Any, managed: Managed
) -> None:
    system = bench.start(
        urls=managed.url,
        exchange=bench.name,
        prefetch=1,
        queue_type='classic',  # quorum queues tell statistics every 5 s
        management=f'http://127.0.0.1:{managed.api}',
    )
    consumed = Subscription('queue', ('thing',), lambda event: gevent.sleep(1000), sequential=True)
    system.subscribe(consumed)
    for n in range(3):
        system.emit(Event('thing', {'n': n}))

    def state() -> Any:
        (found,) = system.queues.read()
        return found if found.running and found.bytes else None

    found = eventually(state, PATIENCE)
    assert (found.queue, found.running, found.waiting, found.consumers) == ('queue', 1, 2, 1)
    assert found.bytes > 2 * len('thing')
    system._records.remove(system._records.read())
    assert [each.queue for each in system.queues.read()] == ['queue']
    assert 'management' not in system.queues.note


def test_old_queues_are_listed_by_the_management_api(bench: Any, managed: Managed) -> None:
    system = bench.start(urls=managed.url, management=f'http://127.0.0.1:{managed.api}')

    def found() -> Any:
        text = '; '.join(map(str, OldQueuesCheck().run(Around(system))))
        return text if "'from 0.15' (0 waiting)" in text and "'eu'" in text else None

    text = eventually(found, PATIENCE)
    assert "consumers of the queues of the exchange 'eu', found 'eu.shop.on' (0 waiting)" in text
    assert 'rabbitmqctl delete_queue --if-unused eu.shop.on' in text


@pytest.fixture(params=['401 Unauthorized', 'junk', 'nobody', 'silence'])
def broken_api(request: pytest.FixtureRequest, monkeypatch: Any) -> Iterator[str]:
    """The address of an API that does not answer as it should."""
    monkeypatch.setattr('lymph.events.kombu._rabbitmq.management._TIMEOUT', 0.2)

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        if request.param == 'silence':
            gevent.sleep(1000)
        start_response('200 OK' if request.param == 'junk' else request.param, [])
        return [b'[{"name": 5, "arguments": []}]']

    if request.param == 'nobody':
        yield f'http://127.0.0.1:{free_port()}'
        return
    server = WSGIServer(('127.0.0.1', 0), answer, log=None, spawn=Pool())
    server.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.stop(timeout=0)


def test_queues_are_listed_without_an_answer_of_the_management_api(
    bench: Any, broken_api: str
) -> None:
    system = bench.start(exchange=bench.name, management=broken_api)
    system.declare(Subscription('queue', ('thing',), print))
    (state,) = eventually(system.queues.read, PATIENCE)
    assert (state.waiting, state.consumers, state.bytes, state.running) == (0, 0, None, None)
    assert f'the management API at {broken_api}' in system.queues.note


@pytest.mark.parametrize(
    'value',
    [
        'localhost:15672',
        'ftp://me:pa55@broker',
        'ftp://me:pa55@broker:80',
        'http://',
        'http://broker:x',
        'http://broker/api',
        5,
    ],
)
def test_invalid_address_is_rejected_without_showing_its_password(value: Any) -> None:
    config = Configuration({'events': {'management': value}})
    with pytest.raises(ConfigurationError, match='management') as refused:
        RabbitmqSettings.from_config(config.view('events'))
    assert 'pa55' not in str(refused.value)


def test_management_api_is_rejected_over_redis() -> None:
    config = Configuration({'events': {'urls': 'redis://localhost', 'management': 'http://x'}})
    with pytest.raises(ConfigurationError, match='expected nothing, for Redis tells'):
        RedisSettings.from_config(config.view('events'))
