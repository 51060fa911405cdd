"""The announced addresses of a container; `faults/test_vanished_hosts.py` tests real routes."""

from __future__ import annotations

import logging
import socket

import pytest

import lymph
from lymph.client import Client
from lymph.config import Configuration, ConfigurationError
from lymph.core._hosting import advertising
from lymph.core._hosting.advertising import Advertising
from lymph.core.addresses import parse_address
from lymph.core.container import ServiceContainer
from lymph.discovery.static import StaticServiceRegistry, StaticServiceRegistryHub
from lymph.events.null import NullEventSystem


class SharedRegistry(StaticServiceRegistry):
    beyond_host = True


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text):
        return text


@pytest.fixture
def routes(monkeypatch):
    """The addresses of the default routes, by family; empty at first."""
    routes = {}
    monkeypatch.setattr(advertising, 'route_out', routes.get)
    return routes


def announced(endpoint, ip, advertise=None, beyond_host=True):
    address = None if advertise is None else parse_address(advertise)
    return Advertising(ip, address, beyond_host, 'container.ip').endpoint(endpoint)


@pytest.mark.parametrize(
    ('ip', 'advertise', 'expected'),
    [
        ('10.0.0.5', None, 'tcp://10.0.0.5:4000'),
        ('127.0.0.1', None, 'tcp://127.0.0.1:4000'),
        ('svc.example', None, 'tcp://svc.example:4000'),
        ('::1', None, 'tcp://[::1]:4000'),
        ('127.0.0.1', '10.0.0.5', 'tcp://10.0.0.5:4000'),
        ('127.0.0.1', '10.0.0.5:5', 'tcp://10.0.0.5:5'),
        ('0.0.0.0', 'svc.example', 'tcp://svc.example:4000'),
        ('::', '[2001:db8::5]:5', 'tcp://[2001:db8::5]:5'),
        ('0.0.0.0', '2001:db8::5', 'tcp://[2001:db8::5]:4000'),
        ('0.0.0.0', None, 'tcp://192.0.2.7:4000'),
        ('::', None, 'tcp://[2001:db8::7]:4000'),
    ],
)
def test_announced_host_is_advertise_or_the_default_route_or_the_listening_one(
    routes, ip, advertise, expected
):
    routes.update({socket.AF_INET: '192.0.2.7', socket.AF_INET6: '2001:db8::7'})
    listening = f'tcp://[{ip}]:4000' if ':' in ip else f'tcp://{ip}:4000'
    assert announced(listening, ip, advertise) == expected


def test_wildcard_without_an_ipv6_route_is_announced_as_the_ipv4_address(routes):
    routes[socket.AF_INET] = '192.0.2.7'
    assert announced('tcp://[::]:1', '::') == 'tcp://192.0.2.7:1'


@pytest.mark.parametrize(
    ('ip', 'endpoint', 'loopback'),
    [
        ('0.0.0.0', 'tcp://0.0.0.0:1', 'tcp://127.0.0.1:1'),
        ('::', 'tcp://[::]:1', 'tcp://[::1]:1'),
    ],
)
def test_wildcard_without_any_route_cannot_be_announced_to_other_machines(
    routes, ip, endpoint, loopback
):
    with pytest.raises(ConfigurationError, match=r'^container\.ip: .*set container\.advertise'):
        announced(endpoint, ip)
    assert announced(endpoint, ip, beyond_host=False) == loopback
    assert announced(endpoint, ip, '10.0.0.5') == 'tcp://10.0.0.5:1'


def test_another_port_of_the_process_is_announced_by_the_same_rule(routes):
    routes[socket.AF_INET] = '192.0.2.7'
    advertising = Advertising('127.0.0.1', parse_address('10.0.0.5:4000'), True, 'container.ip')
    assert advertising.host('127.0.0.1') == '10.0.0.5'
    assert advertising.host('0.0.0.0') == '10.0.0.5'
    assert advertising.host('10.0.0.9') == '10.0.0.9'
    assert Advertising('127.0.0.1', None, True, '').host('0.0.0.0') == '192.0.2.7'


@pytest.mark.parametrize('endpoint', ['memory://1', 'ipc:///a/b'])
def test_endpoint_other_than_tcp_is_announced_unchanged(endpoint):
    assert announced(endpoint, '0.0.0.0', '10.0.0.5') == endpoint


@pytest.fixture
def start():
    """Start a container on TCP, with a registry that other machines read or do not read."""
    containers = []

    def start(registry=SharedRegistry, transport='zmtp', register=True, **section):
        config = Configuration({'container': {'rpc': {'transport': transport}, **section}})
        hub = StaticServiceRegistryHub()
        container = ServiceContainer.from_config(
            config.view('container'), registry=registry(hub), events=NullEventSystem()
        )
        containers.append(container)
        container.install_interface(Echo, 'echo')
        container.start(register)
        return container

    yield start
    for container in containers:
        container.stop()


def call(endpoint, transport):
    section = {'rpc': {'transport': transport}, 'registry': {'class': 'static'}}
    with Client.from_config(Configuration({'container': section})) as client:
        return client.request(endpoint, 'echo.echo', text='x', timeout=5)


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
@pytest.mark.parametrize(
    ('ip', 'advertise'),
    [
        ('0.0.0.0', '127.0.0.1'),
        ('0.0.0.0', 'localhost'),
        ('::1', None),
        ('::', '::1'),
        ('::', '127.0.0.1'),
        ('localhost', None),
        ('127.0.0.1', 'localhost'),
    ],
)
def test_container_answers_at_the_endpoint_it_announces(start, transport, ip, advertise):
    container = start(ip=ip, transport=transport, advertise=advertise)
    (instance,) = container.registry.get('echo')
    host = advertise or ip
    assert instance.ip == host
    assert instance.endpoint == container.endpoint
    assert instance.endpoint.startswith(f'tcp://[{host}]:' if ':' in host else f'tcp://{host}:')
    assert container.status()['endpoint'] == container.endpoint
    assert container.status()['listening'] != container.endpoint or advertise is None
    assert call(container.endpoint, transport) == 'x'


def test_announced_port_may_differ_from_the_listening_port(start):
    container = start(advertise='[2001:db8::1]:4000')
    assert container.endpoint == 'tcp://[2001:db8::1]:4000'
    (instance,) = container.registry.get('echo')
    assert (instance.endpoint, instance.ip) == (container.endpoint, '2001:db8::1')


@pytest.mark.parametrize('ip', ['127.0.0.1', '::1', 'localhost'])
def test_loopback_announced_to_other_machines_is_a_warning_that_says_what_to_set(start, caplog, ip):
    start(ip=ip)
    (warning,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert 'container.advertise' in warning.getMessage()


@pytest.mark.parametrize(
    ('registry', 'register', 'advertise'),
    [
        (StaticServiceRegistry, True, None),
        (SharedRegistry, False, None),
        (SharedRegistry, True, '10.0.0.5'),
    ],
)
def test_reachable_or_unread_endpoint_causes_no_warning(
    start, caplog, registry, register, advertise
):
    start(registry, register=register, advertise=advertise)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_unknown_host_name_is_a_configuration_error(start, transport):
    with pytest.raises(ConfigurationError, match=r'^container\.ip: nowhere\.invalid'):
        start(ip='nowhere.invalid', transport=transport)
