"""Each metric of a container with everything on is described, with its kind and its tags."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gevent import socket
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.descriptions import MetricDescription, description
from lymph.core.monitoring.openmetrics import render
from lymph.exceptions import Failed, RemoteError, RpcError
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually
from lymph.web.gateway import Gateway
from lymph.web.interfaces import WebServiceInterface

WAIT = 30.0
TAGS = {'zone': 'a', 'rack': '5'}
Samples = list[tuple[str, Any, dict[str, Any]]]


class Shop(lymph.Interface):
    """Does work of all kinds, each of which ends in several ways."""

    other = lymph.proxy('other')

    def on_start(self) -> None:
        self.seen: list[str] = []

    @lymph.rpc(raises=(ValueError,), cancel=True)
    def take(self, article: str) -> str:
        if article == 'nothing':
            raise ValueError(article)
        if article == 'broken':
            raise KeyError(article)
        if article == 'slow':
            time.sleep(0.05)  # blocks the loop
        return article

    @lymph.rpc()
    def relay(self) -> Any:
        return self.request('shop', 'shop.take', {'article': 'x'}, timeout=WAIT)

    @lymph.event('shop.taken', retry=1)
    def on_taken(self, event: lymph.Event) -> None:
        self.seen.append(f'taken {event["article"]}')
        if event['article'] == 'broken':
            raise KeyError(event['article'])

    @serial_event('shop.sorted', partition_count=2, key=lambda interface, event: event['article'])
    def on_sorted(self, event: lymph.Event) -> None:
        self.seen.append('sorted')

    @lymph.task()
    def count(self, article: str) -> None:
        pass


class Pages(WebServiceInterface):
    """Answers HTTP requests, some of them with errors."""

    url_map = Map([Rule('/page', endpoint='page'), Rule('/broken', endpoint='broken')])

    def page(self, request: Any) -> Response:
        return Response('hello')

    def broken(self, request: Any) -> Response:
        raise KeyError


@pytest.fixture(params=['embedded', 'servers'])
def backends(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return the sections of the registry and of the event system."""
    if request.param == 'embedded':
        return {
            'registry': {'class': 'embedded', 'path': str(tmp_path / 'registry')},
            'events': {'class': 'embedded', 'path': str(tmp_path / 'events')},
        }
    zookeeper, rabbitmq = (
        request.getfixturevalue(f'{name}_server') for name in ('zookeeper', 'rabbitmq')
    )
    zkclient = {'hosts': zookeeper.hosts}
    return {
        'registry': {'class': 'zookeeper', 'zkclient': zkclient, 'chroot': f'/{tmp_path.name}'},
        'events': {'class': 'kombu', 'urls': rabbitmq.url},
    }


@pytest.fixture
def configuration(backends: dict[str, Any]) -> Configuration:
    return Configuration(
        {
            'container': {
                **backends,
                'metrics': {'tags': TAGS},
                'pool_size': 50,
                'block_threshold': 0.02,
                'drain_timeout': 0,
                'rpc': {'slow_call': 0.04, 'call_log': {'sample': 0.5}},
            }
        }
    )


@pytest.fixture
def container(configuration: Configuration) -> Iterator[ServiceContainer]:
    container = ServiceContainer.from_config(configuration.view('container'))
    container.install_interface(Shop, 'shop', '1.0')
    container.install_interface(Shop, 'shop', '2.0')
    container.install_interface(Pages, 'pages', None, {'ip': '127.0.0.1'})
    gateway = {'allow': ['shop.*'], 'events': ['shop.*'], 'ip': '127.0.0.1'}
    container.install_interface(Gateway, 'api', None, gateway)
    container.start()
    yield container
    container.stop()


@pytest.fixture
def caller(configuration: Configuration) -> Iterator[Client]:
    with Client.from_config(configuration) as client:
        yield client


def get(interface: Any, path: str) -> bytes:
    """Return the answer of an HTTP interface, as far as it comes with the first segment."""
    with socket.create_connection(('127.0.0.1', interface.http_port), timeout=WAIT) as client:
        client.sendall(f'GET {path} HTTP/1.0\r\n\r\n'.encode())
        return client.recv(4096)


def work(container: ServiceContainer, caller: Client) -> None:
    """Have a container do work of all kinds."""
    shop, _, pages, gateway = container.interfaces
    assert isinstance(shop, Shop)
    for article in ('x', 'nothing', 'broken', 'slow'):
        with suppress(RemoteError, Failed):
            caller.request('shop', 'shop.take', {'article': article}, timeout=WAIT)
    for method in ('shop.missing', 'shop.take'):
        with pytest.raises(RpcError):
            caller.request('shop', method, {'y': 1}, timeout=WAIT)
    caller.request('shop', 'shop.relay', timeout=WAIT)
    with pytest.raises(RpcError):
        shop.request('nowhere', 'nowhere.run')
    shop.emit('shop.taken', {'article': 'x'})
    shop.emit('shop.taken', {'article': 'broken'})
    shop.emit('shop.sorted', {'article': 'x'})
    shop.count.apply(article='x')
    for path in ('/page', '/broken', '/nowhere'):
        assert get(pages, path)
    assert b' 200 ' in get(gateway, '/api/events?type=shop.taken')
    seen = [interface.seen for interface in container.interfaces if isinstance(interface, Shop)]
    eventually(
        lambda: {'taken x', 'taken broken', 'sorted'} <= {each for one in seen for each in one},
        WAIT,
    )


def read(container: ServiceContainer, caller: Client) -> Samples:
    """Return the metrics of a container as `lymph.get_metrics` returns them."""
    assert container.endpoint is not None
    samples = caller.request(container.endpoint, 'lymph.get_metrics', timeout=WAIT)
    assert all(isinstance(sample, list) and len(sample) == 3 for sample in samples)
    return [(name, value, tags) for name, value, tags in samples]


def described(name: str, tags: dict[str, Any]) -> MetricDescription | None:
    """Return the description of a sample: of its own name, or that of its histogram."""
    base, _, last = name.rpartition('.')
    if last in ('bucket', 'count', 'sum'):
        found = description(base)
        if found is not None and found.kind == 'histogram':
            assert ('le' in tags) == (last == 'bucket'), name
            return found
    return description(name)


def test_each_metric_is_described_with_its_kind_and_its_tags(
    container: ServiceContainer, caller: Client
) -> None:
    work(container, caller)
    before = read(container, caller)
    work(container, caller)
    after = read(container, caller)
    # of the caller, without a service of its own
    ours: Samples = [(name, value, dict(tags)) for name, value, tags in caller.container.metrics]
    unknown = {name for name, _, tags in (*after, *ours) if described(name, tags) is None}
    assert not unknown
    for name, value, tags in (*after, *ours):
        found = described(name, tags)
        assert found is not None
        assert TAGS.items() <= tags.items(), f'{name} lacks tags of the configuration'
        assert all(isinstance(text, str) for text in tags.values()), f'{name}: {tags}'
        own = set(tags) - set(TAGS) - ({'le'} if found.kind == 'histogram' else set())
        assert own == set(found.tags), f'{name} has other tags than its description: {own}'
        assert (found.kind == 'histogram') == (name != found.name), name
        assert isinstance(value, (int, float))
        assert not isinstance(value, bool), name
        if found.kind != 'gauge':
            assert value >= 0, name
    first = {(name, *sorted(tags.items())): value for name, value, tags in before}
    for name, value, tags in after:
        found = described(name, tags)
        if found is not None and found.kind != 'gauge':
            assert value >= first.get((name, *sorted(tags.items())), 0), f'{name} went back'


def test_no_series_is_there_twice_and_all_of_them_can_be_exported(
    container: ServiceContainer, caller: Client
) -> None:
    work(container, caller)
    for samples in (read(container, caller), list(caller.container.metrics)):
        series = [(name, *sorted(tags.items())) for name, _, tags in samples]
        twice = {each for each in series if series.count(each) > 1}
        assert not twice
        page = render(samples)
        assert page.left_out == 0, page.reasons


def test_more_work_of_the_same_kind_makes_no_more_series(
    container: ServiceContainer, caller: Client
) -> None:
    work(container, caller)
    work(container, caller)

    def series() -> set[tuple[Any, ...]]:
        return {
            (name, *sorted(tags.items()))
            for name, _, tags in (*read(container, caller), *caller.container.metrics)
            if name != 'queues.oldest'  # only while an event waits
        }

    series()
    before = series()
    for _ in range(2):
        work(container, caller)
    assert series() - before == set()
