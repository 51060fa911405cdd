"""A gateway in a running container, asked through the test client of werkzeug."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import pytest
from werkzeug.test import Client, TestResponse

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web.gateway import Gateway

WAIT = 10.0


@dataclass
class Line:
    article: str
    price: float


class Shop(lymph.Interface):
    """Sells socks."""

    @lymph.rpc(idempotent=True)
    def total(self, lines: list[Line], day: datetime.date | None = None) -> float:
        """Add up prices."""
        return sum(line.price for line in lines)

    @lymph.rpc(raises=(ValueError,))
    def order(self, article: str) -> None:
        raise ValueError(f'no {article}')

    @lymph.rpc()
    def fail(self):
        raise RuntimeError('secret')

    @lymph.rpc()
    def hang(self):
        gevent.sleep(WAIT)

    @lymph.rpc()
    def echo(self, value=None):
        return value


class Secrets(lymph.Interface):
    @lymph.rpc()
    def read(self):
        return 'secret'


class World:
    """A container with services and one with a gateway, which see each other."""

    def __init__(self) -> None:
        self.hub = StaticServiceRegistryHub()
        self.network = MemoryNetwork()
        self.containers: list[ServiceContainer] = []

    def start(self, *interfaces: Any) -> list[Any]:
        """Start a container with interfaces, each given as (class, name, version, config)."""
        container = ServiceContainer(
            MemoryTransport(network=self.network), self.hub.create_registry(), LocalEventSystem()
        )
        self.containers.append(container)
        made = [container.install_interface(*each) for each in interfaces]
        container.start()
        return made

    def gateway(self, allow: list[str], **config: Any) -> Asking:
        (gateway,) = self.start((Gateway, 'api', None, {'allow': allow, **config}))
        return Asking(gateway)

    def stop(self) -> None:
        for container in reversed(self.containers):
            container.stop()


class Asking:
    """A gateway and a client of it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.client = Client(gateway.application)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.client.post(f'/api/{path}', json={} if body is None else body, **options)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.stop()


@pytest.fixture
def shop(world: World) -> World:
    world.start((Shop, 'shop', '1.0.0'), (Secrets, 'secrets'))
    return world


def test_post_calls_a_method_and_answers_with_its_result(shop: World) -> None:
    answer = shop.gateway(['shop.total']).post(
        'shop/total', {'lines': [{'article': 'sock', 'price': 2}], 'day': '2026-02-19'}
    )
    assert (answer.status_code, answer.mimetype, answer.json) == (200, 'application/json', 2.0)


def test_method_that_is_not_allowed_looks_like_one_that_does_not_exist(shop: World) -> None:
    asking = shop.gateway(['shop.*'])
    answers = [asking.post(path) for path in ('secrets/read', 'shop/none', 'none/none')]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.json['detail'] for answer in answers}) == 1


def test_catalogue_has_the_allowed_methods_with_schemas_and_docs(shop: World) -> None:
    catalogue = shop.gateway(['shop.total', 'secrets.*']).gateway.catalogue
    assert [each.full_name for each in catalogue.methods()] == ['secrets.read', 'shop.total']
    total = catalogue.find('shop.total')
    assert total is not None
    assert (total.version, total.idempotent, total.doc) == ('1.0.0', True, 'Add up prices.')
    assert total.parameters['properties'].keys() == {'lines', 'day'}
    assert total.result['type'] == 'number'
    assert catalogue.doc_of('shop') == 'Sells socks.'


def test_catalogue_follows_the_instances(shop: World) -> None:
    catalogue = shop.gateway(['*.*']).gateway.catalogue
    assert catalogue.find('shop.total') is not None
    shop.containers[0].stop()
    assert [each.interface for each in catalogue.methods() if each.interface != 'api'] == []


def test_service_without_an_instance_is_unavailable_for_those_who_may_know_of_it(
    world: World,
) -> None:
    named, unnamed = world.gateway(['shop.*']), world.gateway(['*.*'])
    assert named.post('shop/total').status_code == 503
    assert unnamed.post('shop/total').status_code == 404
