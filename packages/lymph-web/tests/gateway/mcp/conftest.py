"""A gateway with a shop, and clients of its MCP."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import pytest
from werkzeug.test import Client, TestResponse

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web.gateway import Gateway

WAIT = 10.0
JSON = {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'}


@dataclass
class Line:
    article: str
    price: float


class Shop(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def total(self, lines: list[Line], day: datetime.date | None = None) -> float:
        """Add up prices."""
        return sum(line.price for line in lines)

    @lymph.rpc(idempotent=True, raises=(LookupError,))
    def find(self, article: str) -> Line:
        if article != 'sock':
            raise LookupError(f'no {article}')
        return Line(article, 2.5)

    @lymph.rpc(idempotent=True)
    def names(self):
        return 'sock, shoe'

    @lymph.rpc(idempotent=True)
    def hang(self):
        gevent.sleep(WAIT)

    @lymph.rpc()
    def order(self, article: str) -> None:
        Secrets.calls += 1


class Secrets(lymph.Interface):
    calls = 0

    @lymph.rpc(idempotent=True)
    def read(self):
        Secrets.calls += 1


class World:
    """A process with a gateway and services, and `interfaces`, given as (class, name, version).

    `config` is the section of the gateway.
    """

    def __init__(self, *interfaces: Any, **config: Any) -> None:
        Secrets.calls = 0
        self.container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            StaticServiceRegistryHub().create_registry(),
            LocalEventSystem(),
            ContainerSettings(rpc_timeout=0.3),
        )
        self.container.install_interface(Shop)
        self.container.install_interface(Secrets)
        for interface in interfaces:
            self.container.install_interface(*interface)
        section = {'allow': ['shop.*'], 'ip': '127.0.0.1', 'mcp': {'enabled': True}, **config}
        self.gateway = self.container.install_interface(Gateway, 'api', None, section)
        self.container.start()
        self.client = Client(self.gateway.application)

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self.gateway.http_port}/api/mcp'

    @property
    def ran(self) -> int:
        """How often something ran that is not offered."""
        return Secrets.calls

    def send(self, body: Any, method: str = 'POST', **headers: str) -> TestResponse:
        """Send a body, as JSON unless it is bytes; keywords are headers, with _ for -."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace('_', '-'): value for name, value in headers.items()}
        return self.client.open('/api/mcp', method=method, data=data, headers={**JSON, **named})

    def ask(self, method: str, params: Any = None, id: Any = 1, **headers: str) -> Any:
        """Send a request; return the answer."""
        message = {'jsonrpc': '2.0', 'id': id, 'method': method, 'params': params or {}}
        return self.send(message, **headers).json

    def tools(self) -> list[str]:
        return [tool['name'] for tool in self.ask('tools/list')['result']['tools']]


@pytest.fixture
def serve() -> Iterator[Callable[..., World]]:
    worlds = []

    def start(*interfaces: Any, **config: Any) -> World:
        worlds.append(World(*interfaces, **config))
        return worlds[-1]

    yield start
    for world in worlds:
        world.container.stop()
