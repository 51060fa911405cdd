"""Events of a broker as server-sent events of a gateway in another process than their emitter's."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import pytest
from gevent import socket

from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.backoff import Backoff
from lymph.events.kombu import KombuEventSystem
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually
from lymph.web.gateway import Gateway

WAIT = 30.0
SECTION = {'allow': ['shop.*'], 'events': ['shop.*', 'plain'], 'ip': '127.0.0.1'}


@pytest.fixture(params=['rabbitmq', 'redis'])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f'{request.param}_server').url
    return found


@pytest.fixture
def start() -> Iterator[Callable[..., ServiceContainer]]:
    """Start containers whose events a broker carries, with or without a gateway."""
    started = []

    def start(url: str, gateway: bool = False, **keys: Any) -> ServiceContainer:
        config = Configuration({'events': {'urls': url, 'heartbeat': 1, **keys}})
        container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            StaticServiceRegistryHub().create_registry(),
            KombuEventSystem.from_config(
                config.view('events'), backoff=Backoff(first=0.1, jitter=0)
            ),
            ContainerSettings(drain_timeout=WAIT),
        )
        if gateway:
            container.install_interface(Gateway, 'api', None, SECTION)
        container.start()
        started.append(container)
        return container

    yield start
    for container in started:
        container.stop()


@pytest.fixture
def stream() -> Iterator[Callable[..., BinaryIO]]:
    """Open streams of events; each is returned when its first lines have arrived."""
    opened: list[Any] = []

    def stream(container: ServiceContainer, query: str) -> BinaryIO:
        (gateway,) = container.interfaces
        assert isinstance(gateway, Gateway)
        client = socket.create_connection(('127.0.0.1', gateway.http_port), timeout=WAIT)
        file = client.makefile('rb')
        opened.extend([client, file])
        client.sendall(f'GET /api/events?{query} HTTP/1.0\r\n\r\n'.encode())
        assert b' 200 ' in file.readline()
        while not file.readline().startswith(b'retry:'):
            pass
        return file

    yield stream
    for each in reversed(opened):
        each.close()


def event(file: BinaryIO) -> dict[str, Any]:
    """Return the data of the next event."""
    while not (line := file.readline()).startswith(b'data:'):
        assert line, 'the stream has ended'
    found: dict[str, Any] = json.loads(line.removeprefix(b'data:'))
    return found


def bodies(file: BinaryIO, count: int) -> list[Any]:
    return [event(file)['body'] for _ in range(count)]


def test_clients_get_all_events_of_a_broker_from_the_head_of_their_stream_on(url, start, stream):
    emitter, serving = start(url), start(url, gateway=True)
    emitter.emit_event('shop.ordered', {'n': -1}, source='test')  # nobody has asked yet
    clients = [stream(serving, 'type=shop.*&type=plain'), stream(serving, 'type=shop.*')]
    for number in range(30):
        emitter.emit_event('shop.ordered', {'n': number}, source='test')
        emitter.emit_event('secret', {'n': number})
    for client in clients:
        assert bodies(client, 30) == [{'n': number} for number in range(30)]
    day = datetime.date(2026, 2, 19)
    emitter.emit_event('plain', {'raw': b'hi', 'day': day, 'tags': {'a'}}, source='test')
    found = event(clients[0])
    assert found['body'] == {'raw': {'$bytes': 'aGk='}, 'day': '2026-02-19', 'tags': ['a']}
    assert (found['type'], found['source']) == ('plain', 'test')
    assert found['trace_id']


def test_stream_goes_on_after_the_connection_to_the_broker_was_cut(url, start, stream):
    parts = urlsplit(url)
    with FaultProxy('127.0.0.1', parts.port or 0) as proxy:
        serving = start(url.replace(f':{parts.port}', f':{proxy.port}'), gateway=True)
        client, emitter = stream(serving, 'type=plain'), start(url)
        emitter.emit_event('plain', {'n': 0})
        assert bodies(client, 1) == [{'n': 0}]
        proxy.cut()
        emitter.emit_event('plain', {'n': 1})
        while (body := bodies(client, 1)[0]) == {'n': 0}:  # may arrive twice
            pass
        assert body == {'n': 1}
        serving.stop()


def test_client_is_told_to_come_back_while_the_broker_cannot_be_reached(url, start, stream):
    parts = urlsplit(url)
    with FaultProxy('127.0.0.1', parts.port or 0) as proxy:
        reached = url.replace(f':{parts.port}', f':{proxy.port}')
        serving = start(reached, gateway=True, confirm_timeout=0.2)
        (gateway,) = serving.interfaces
        proxy.refuse()
        proxy.cut()
        eventually(lambda: not proxy.connections)

        def asked() -> bytes:
            address = '127.0.0.1', gateway.http_port
            with socket.create_connection(address, timeout=WAIT) as client:
                client.sendall(b'GET /api/events?type=plain HTTP/1.0\r\n\r\n')
                return client.recv(10_000)

        head = asked()
        assert b' 503 ' in head
        assert b'Retry-After:' in head
        proxy.heal()
        eventually(lambda: b' 200 ' in asked(), timeout=WAIT)
        client, emitter = stream(serving, 'type=plain'), start(url)
        emitter.emit_event('plain', {'n': 1})
        assert bodies(client, 1) == [{'n': 1}]
        serving.stop()


def test_drain_ends_streams_of_a_broker_properly(url, start, stream):
    serving = start(url, gateway=True)
    client = stream(serving, 'type=plain')
    assert serving.drain() == 0
    assert client.read().strip() in (b'', b':')  # to its end
