from __future__ import annotations

import sys

import pytest

import lymph
from lymph.client import Client
from lymph.config import Configuration, ConfigurationError
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.exceptions import LookupFailure, NotConnected
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    heard = ()

    @lymph.rpc()
    def echo(self, text):
        return text

    @lymph.event('something')
    def on_something(self, event):
        self.heard = (*self.heard, event['x'])


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo'))


@pytest.fixture
def client(world, service):
    return Client(world.container(on_demand=True, start=False))


def started(client):
    """Return the kinds of backends that were started."""
    return {type(c).__name__ for c in client.container.components} & {
        'StaticServiceRegistry',
        'LocalEventSystem',
    }


def test_a_client_that_only_calls_starts_no_event_system(client):
    assert started(client) == set()
    assert client.request('echo', 'echo.echo', {'text': 'x'}) == 'x'
    assert client.request('echo', 'echo.echo', text='x', timeout=5) == 'x'
    assert client.proxy('echo', timeout=5).echo(text='x') == 'x'
    assert started(client) == {'StaticServiceRegistry'}


def test_a_client_that_only_emits_starts_no_registry(client, service):
    client.emit('something', {'x': 1})
    eventually(lambda: service.interfaces[0].heard == (1,))
    assert started(client) == {'LocalEventSystem'}


def test_a_client_that_calls_an_endpoint_starts_nothing(world, client, service):
    assert client.request(service.endpoint, 'echo.echo', text='x') == 'x'
    assert started(client) == set()


def test_a_client_that_loses_a_connection_goes_on(world, client, service, caplog):
    """Nobody waits in the hub for a registry that was never needed."""
    client.request(service.endpoint, 'echo.echo', text='x')
    world.network.cut()
    eventually(lambda: client.container.rpc.stats()['connections'] == [])
    assert client.request(service.endpoint, 'echo.echo', text='x') == 'x'
    assert started(client) == set()
    assert caplog.records == []


def test_a_client_listens_nowhere_and_is_not_registered(world, client, service):
    client.request('echo', 'echo.echo', text='x')
    assert client.container.endpoint is None
    assert list(world.network.listeners) == [service.endpoint]
    assert client.container.discover() == {'echo'}


def test_a_closed_client_does_nothing_more(client, service):
    client.request('echo', 'echo.echo', text='x')
    client.close()
    client.close()
    with pytest.raises((NotConnected, LookupFailure)):
        client.request('echo', 'echo.echo', text='x')
    with pytest.raises(lymph.EmitFailure):
        client.emit('something', {'x': 1})


def test_a_client_that_was_closed_before_its_first_use_starts_nothing(client):
    client.close()
    with pytest.raises((NotConnected, LookupFailure)):
        client.request('echo', 'echo.echo', text='x')
    with pytest.raises(lymph.EmitFailure):
        client.emit('something', {'x': 1})
    assert len(client.container.pool) == 0


def test_a_client_is_a_context_manager(world, service):
    with Client(world.container(on_demand=True, start=False)) as client:
        assert client.request('echo', 'echo.echo', text='x') == 'x'
    assert client.container.join(0)
    eventually(lambda: client.container.rpc.stats()['connections'] == [])


def test_a_client_comes_from_a_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))
    config = Configuration({'container': {'rpc': {'timeout': 7, 'transport': 'memory'}}})
    for client in (
        Client.from_config(config),
        Client.from_config(None, transport=MemoryTransport()),
    ):
        with client, pytest.raises(LookupFailure):
            client.request('nobody', 'nobody.a')
        assert isinstance(client.container.registry, EmbeddedServiceRegistry)
    assert client.container.settings.rpc_timeout == 1


def test_what_is_started_on_demand_belongs_to_the_client(client):
    client.emit('something', {'x': 1})
    client.request('echo', 'echo.echo', text='x')
    container = client.container
    for backend in (container.events, container.registry):
        assert backend.pool is container.pool
        assert backend.metrics is container.metrics
        assert backend.error_hook is container.error_hook


def test_event_system_of_the_default_is_not_made_for_a_client_that_only_calls(monkeypatch):
    made = []

    def read(config):
        made.append(config)
        return LocalEventSystem()

    monkeypatch.setattr('lymph.core.container.read_events', read)
    registry = StaticServiceRegistryHub().create_registry()
    with Client.from_config(None, transport=MemoryTransport(), registry=registry) as client:
        assert client.container.discover() == set()
        assert made == []
        assert client.container.events is client.container.events
        assert len(made) == 1
        assert client.container.events.parent is client.container


def test_event_system_that_a_client_is_configured_with_is_checked_at_once():
    config = Configuration({'container': {'events': {'class': 'lokal'}}})
    with pytest.raises(ConfigurationError, match=r'container\.events\.class'):
        Client.from_config(config)


PLUGINS = """
import lymph

counted = []

class Counting(lymph.Plugin, lymph.Interceptor):
    def intercept(self, work, proceed):
        counted.append(work.kind)
        return proceed()

class NoClients(lymph.Plugin, lymph.Interceptor):
    kinds = ('rpc',)

    def __init__(self, *args):
        raise SystemExit('not for a client')
"""


@pytest.mark.parametrize('plugins', [True, False])
def test_client_installs_configured_interceptors(world, service, tmp_path, monkeypatch, plugins):
    name = f'plugins_of_client_{plugins}'
    (tmp_path / f'{name}.py').write_text(PLUGINS)
    monkeypatch.syspath_prepend(tmp_path)
    classes = {'a': {'class': f'{name}:Counting'}, 'b': {'class': f'{name}:NoClients'}}
    made = Client.from_config(
        Configuration({'plugins': classes}),
        plugins=plugins,
        transport=MemoryTransport(network=world.network),
        registry=world.registry_hub.create_registry(),
        events=LocalEventSystem(world.event_hub),
    )
    with made as client:
        assert client.request('echo', 'echo.echo', text='x', timeout=30) == 'x'
        client.emit('something', {'x': 1})
    if plugins:
        assert sys.modules[name].counted == ['call', 'try', 'emit']
    else:
        assert name not in sys.modules
