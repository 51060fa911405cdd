"""Headers are shown as they pass, and everything else passes as it is."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

import lymph
from lymph.cli._running.headers import HeaderDump
from lymph.client import Client
from lymph.core import trace
from lymph.core.container import ServiceContainer
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.exceptions import NotConnected, Timeout


class Echo(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def upper(self, text: str) -> str:
        return text.upper()

    @lymph.rpc()
    def sleep(self) -> None:
        gevent.sleep(60)


class World:
    """A service, and a client that shows the headers of the calls of one subject."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        hub = StaticServiceRegistryHub()
        transport = MemoryTransport(network=self.network)
        self.echo = ServiceContainer(transport, hub.create_registry(), NullEventSystem())
        self.echo.install_interface(Echo, 'echo')
        self.echo.start()
        self.registry = hub.create_registry()
        self.clients: list[Client] = []

    def client(self, subject: str, told: list[str]) -> Client:
        transport = HeaderDump(MemoryTransport(network=self.network), subject, told.append)
        client = Client(ServiceContainer(transport, self.registry, NullEventSystem()))
        self.clients.append(client)
        return client

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.echo.stop()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.stop()


def test_headers_of_request_and_reply_are_shown_in_order(world: World) -> None:
    told: list[str] = []
    trace.set_id('abc')
    client = world.client('echo.upper', told)
    assert client.request('echo', 'echo.upper', {'text': 'foo'}, version=None) == 'FOO'
    endpoint = world.echo.endpoint
    assert told[:2] == [f'> REQ echo.upper to {endpoint}', '> trace_id: abc']
    assert told[2].startswith('> timeout: 0.9')
    assert told[3:] == [f'< REP from {endpoint}', '< idempotent: True']


def test_rejection_is_shown_with_its_reason(world: World) -> None:
    told: list[str] = []
    client = world.client('echo.upper', told)
    with pytest.raises(lymph.exceptions.Refused):
        client.request('echo', 'echo.upper', {'txet': 'foo'})
    assert '< NACK from' in told[-2]
    assert told[-1] == '< reason: invalid_arguments'


def test_calls_of_other_subjects_are_not_shown(world: World) -> None:
    told: list[str] = []
    client = world.client('echo.upper', told)
    assert client.request('echo', 'lymph.ping', {'payload': 3}) == 3
    assert told == []


def test_failed_calls_raise_the_same_error_as_without_it(world: World) -> None:
    told: list[str] = []
    client = world.client('echo.sleep', told)
    with pytest.raises(Timeout, match=r'no reply from echo\.sleep'):
        client.request('echo', 'echo.sleep', timeout=0.05)
    assert told[0].startswith('> REQ echo.sleep')
    with pytest.raises(NotConnected):
        client.request('memory://nowhere', 'echo.sleep', timeout=0.05)
