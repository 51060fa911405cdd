"""Encrypted connections to authenticated services."""

from __future__ import annotations

import io

import pytest
import zmq

import lymph
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.settings import read_transport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem
from lymph.exceptions import ConfigurationError, NotConnected

PUBLIC, SECRET = (key.decode() for key in zmq.curve_keypair())
OTHER_PUBLIC, OTHER_SECRET = (key.decode() for key in zmq.curve_keypair())


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text):
        return text


def transport(**curve):
    keys = ''.join(f'\n        {name}: "{key}"' for name, key in curve.items())
    config = Configuration()
    section = f'\n      curve:{keys}' if curve else ''
    config.load(io.StringIO(f'container:\n    rpc:\n      transport: zeromq{section}\n'))
    return read_transport(config.view('container'))


@pytest.fixture
def world():
    hub = StaticServiceRegistryHub()
    made = []

    def container(*interfaces, on_demand=False, **curve):
        container = ServiceContainer(
            transport(**curve), hub.create_registry(), NullEventSystem(), on_demand=on_demand
        )
        made.append(container)
        for interface in interfaces:
            container.install_interface(interface, 'echo')
        container.start(register=bool(interfaces))
        return container

    yield container
    for container in made:
        container.stop()


@pytest.mark.parametrize('own', [{}, {'secret_key': OTHER_SECRET}], ids=['no key', 'own key'])
def test_caller_with_the_public_key_of_a_service_reaches_it(world, own):
    world(Echo, secret_key=SECRET)
    caller = world(on_demand=True, server_key=PUBLIC, **own)
    assert caller.request('echo', 'echo.echo', {'text': 'x'}, timeout=10) == 'x'


def test_caller_without_the_public_key_reaches_no_service_and_others_do(world):
    world(Echo, secret_key=SECRET)
    for strangers in ({}, {'secret_key': SECRET, 'server_key': OTHER_PUBLIC}):
        with pytest.raises(NotConnected):
            world(**strangers).request('echo', 'echo.echo', {'text': 'x'}, timeout=2)
    caller = world(server_key=PUBLIC, secret_key=SECRET)
    assert caller.request('echo', 'echo.echo', {'text': 'x'}, timeout=10) == 'x'


def test_caller_with_keys_does_not_call_a_service_without_keys(world):
    world(Echo)
    with pytest.raises(NotConnected):
        world(server_key=PUBLIC, secret_key=SECRET).request('echo', 'echo.echo', timeout=2)


def test_a_service_without_a_key_of_its_own_cannot_start(world):
    with pytest.raises(ConfigurationError, match=r'container\.rpc\.curve\.secret_key: expected'):
        world(Echo, server_key=PUBLIC)


def test_calling_without_the_key_of_the_services_says_what_is_missing(world):
    world(Echo, secret_key=SECRET)
    with pytest.raises(NotConnected, match=r'expected curve\.server_key'):
        world(secret_key=SECRET).request('echo', 'echo.echo', {'text': 'x'})


@pytest.mark.parametrize('key', ['short', 'x' * 41, '\u00e4' * 40, '"' * 40])
def test_invalid_key_is_an_error_that_does_not_reveal_it(key):
    config = Configuration({'rpc': {'transport': 'zeromq', 'curve': {'secret_key': key}}})
    with pytest.raises(ConfigurationError, match='40 characters of Z85') as caught:
        read_transport(config)
    assert key not in str(caught.value)


@pytest.mark.parametrize('name', ['zmtp', 'memory'])
def test_keys_for_a_transport_that_does_not_encrypt_are_an_error(name):
    config = Configuration({'rpc': {'transport': name, 'curve': {'secret_key': SECRET}}})
    with pytest.raises(ConfigurationError, match='needs the transport zeromq'):
        read_transport(config)
