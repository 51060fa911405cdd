"""Containers with services and a dashboard, and clients that ask it over real connections."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent import socket

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.embedded import EmbeddedEventSystem
from lymph.web.dashboard import Dashboard

WAIT = 10.0
TOKEN = 'test-token-0123456789'


class Shop(lymph.Interface):
    """Sells socks."""

    @lymph.rpc(raises=(LookupError,))
    def order(self, article: str) -> str:
        """Order an article."""
        if article == 'glove':
            raise LookupError('sold out')
        return article.upper()

    @lymph.event('shop.broken')
    def on_broken(self, event: lymph.Event) -> None:
        raise ValueError(f'cannot use {event.body}')


class Answer:
    """What a dashboard has answered."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asking:
    """A client of a dashboard; `token` None: without."""

    def __init__(self, dashboard: Dashboard, token: str | None = TOKEN) -> None:
        self.dashboard = dashboard
        self.token = token
        self.port = dashboard.http_port

    def ask(
        self, path: str, method: str = 'GET', body: bytes | None = None, **fields: str
    ) -> Answer:
        """Send one request; `fields` have underscores for dashes."""
        with closing(self.open(path, method, body, **fields)) as connection:
            return Answer(connection.getresponse())

    def post(self, path: str, value: Any, **fields: str) -> Answer:
        """Post JSON."""
        sent = {'Content_Type': 'application/json', **fields}
        return self.ask(path, 'POST', json.dumps(value).encode(), **sent)

    def open(
        self, path: str, method: str = 'GET', body: bytes | None = None, **fields: str
    ) -> http.client.HTTPConnection:
        """Return a connection over which a request was sent."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=WAIT)
        connection._create_connection = socket.create_connection  # type: ignore[attr-defined]
        headers = {name.replace('_', '-'): value for name, value in fields.items()}
        if self.token is not None:
            headers.setdefault('Authorization', f'Bearer {self.token}')
        connection.request(method, path, body, headers)
        return connection

    def events(self, path: str, *names: str) -> Iterator[tuple[str, Any]]:
        """Yield the events of a stream, those with these names or all."""
        with closing(self.open(path)) as connection:
            response = connection.getresponse()
            assert response.status == 200, response.read()
            name = ''
            for line in response:
                if line.startswith(b'event: '):
                    name = line[7:].strip().decode()
                elif line.startswith(b'data: ') and (not names or name in names):
                    yield name, json.loads(line[6:])


class World:
    """Containers with services and with dashboards, which see each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = StaticServiceRegistryHub()
        self.network = MemoryNetwork()
        self.containers: list[ServiceContainer] = []

    def start(self, *interfaces: Any, **settings: Any) -> ServiceContainer:
        """Start a container with interfaces, each given as (class, name, version, config)."""
        container = ServiceContainer(
            MemoryTransport(network=self.network),
            self.hub.create_registry(),
            EmbeddedEventSystem(str(self.folder / 'events')),
            ContainerSettings(rpc_timeout=WAIT, **settings),
        )
        self.containers.append(container)
        for each in interfaces:
            container.install_interface(*each)
        container.start()
        return container

    def shop(self, name: str = 'shop', **settings: Any) -> ServiceContainer:
        """Start a container with a shop."""
        return self.start((Shop, name), **settings)

    def dashboard(self, **config: Any) -> Asking:
        """Start a container with a dashboard, and return a client of it."""
        section = {'token': TOKEN, **config}
        container = self.start((Dashboard, 'dashboard', None, section))
        dashboard = container.interfaces[0]
        assert isinstance(dashboard, Dashboard)
        return Asking(dashboard)

    def stop(self) -> None:
        for container in reversed(self.containers):
            container.stop()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stop()


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """A client of a dashboard that all tests of a module share; its token may be changed."""
    world = World(tmp_path_factory.mktemp('shared'))
    yield world.dashboard()
    world.stop()


@pytest.fixture
def asking(shared: Asking) -> Asking:
    """A client of a dashboard with the usual section."""
    shared.token = TOKEN
    return shared
