"""Containers with services and gateways, and clients that ask the gateways."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from gevent.event import Event
from werkzeug.test import Client, TestResponse

import lymph
from lymph.core import trace
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
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

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.calls: list[str] = []
        self.entered, self.go_on, self.cancelled = Event(), Event(), Event()

    @lymph.rpc(idempotent=True)
    def total(self, lines: list[Line], day: datetime.date | None = None) -> float:
        """Add up prices."""
        return sum(line.price for line in lines)

    @lymph.rpc(raises=(LookupError,))
    def order(self, article: str) -> int:
        self.calls.append(article)
        if article != 'sock':
            raise LookupError(f'no {article} on tcp://127.0.0.1:1')
        return len(self.calls)

    @lymph.rpc(raises=(LookupError,))
    def silent(self):
        raise LookupError

    @lymph.rpc()
    def fail(self):
        self.calls.append('fail')
        raise RuntimeError('secret')

    @lymph.rpc()
    def refuse(self, reason='forbidden'):
        raise lymph.Refused('secret', reason)

    @lymph.rpc()
    def hang(self):
        self.calls.append('hang')
        self.entered.set()
        self.go_on.wait(WAIT)
        return 'done'

    @lymph.rpc(cancel=True)
    def wait(self):
        self.entered.set()
        try:
            self.go_on.wait(WAIT)
        except lymph.Cancelled:
            self.cancelled.set()
            raise
        return 'done'

    @lymph.rpc()
    def echo(self, value=None):
        return value

    @lymph.rpc()
    def kind(self, value):
        return type(value).__name__

    @lymph.rpc()
    def nan(self):
        self.calls.append('nan')
        return {'a': [1, float('nan')]}

    @lymph.rpc()
    def trace(self):
        return trace.get_id()


class Secrets(lymph.Interface):
    @lymph.rpc()
    def read(self):
        return 'secret'


class Guard(lymph.Plugin, lymph.Interceptor):
    """Refuses calls in a service, with the reason that they have as an argument."""

    kinds = frozenset({'rpc'})

    def intercept(self, work, proceed):
        if work.name == 'shop.refuse':
            raise lymph.Refused('secret', work.arguments.get('reason', 'forbidden'))
        return proceed()


class World:
    """Containers with services and with gateways, which see each other."""

    def __init__(self) -> None:
        self.hub = StaticServiceRegistryHub()
        self.network = MemoryNetwork()
        self.containers: list[ServiceContainer] = []

    def start(self, *interfaces: Any, settings: Any = None) -> list[Any]:
        """Start a container with interfaces, each given as (class, name, version, config)."""
        container = ServiceContainer(
            MemoryTransport(network=self.network),
            self.hub.create_registry(),
            LocalEventSystem(),
            settings or ContainerSettings(rpc_timeout=WAIT),
        )
        self.containers.append(container)
        container.install_plugin(Guard)
        made = [container.install_interface(*each) for each in interfaces]
        container.start()
        return made

    def shop(self, version: str | None = None) -> Any:
        """Start a container with a shop and secrets, and return the shop."""
        return self.start((Shop, 'shop', version), (Secrets, 'secrets'))[0]

    def gateway(self, *allow: str, beside: Any = None, **config: Any) -> Asking:
        """Start a container with a gateway, and return a client of it.

        `beside` is another interface for the container.
        """
        section = {'allow': [*allow], **config}
        return Asking(self.start(*[beside] * bool(beside), (Gateway, 'api', None, section))[-1])

    def stop(self) -> None:
        for container in reversed(self.containers):
            container.stop()


class Asking:
    """A gateway and a client of it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.client = Client(gateway.application)

    def post(self, path: str, arguments: Any = None, **options: Any) -> TestResponse:
        """Call a method with arguments, unless the options have `data`."""
        if 'data' not in options:
            options['json'] = {} if arguments is None else arguments
        return self.client.post(f'/api/{path}', **options)

    def problem(self, path: str, arguments: Any = None, **options: Any) -> Problem:
        """Call a method and return the problem that is answered."""
        return Problem(self.post(path, arguments, **options))


class Problem:
    """The answer with a problem."""

    def __init__(self, response: TestResponse) -> None:
        assert response.mimetype == 'application/problem+json', response.get_data(as_text=True)
        self.headers = response.headers
        self.members = response.json or {}
        assert response.status_code == self.members['status']

    @property
    def facts(self) -> tuple[int, str, bool]:
        """The status, the reason, and whether the method may have run."""
        return self.members['status'], self.members['reason'], self.members['may_have_run']


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.stop()
