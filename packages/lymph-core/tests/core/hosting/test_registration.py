from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import pytest

import lymph
from lymph.core._hosting.registration import Registrations
from lymph.core.services import ServiceInstance
from lymph.discovery.base import HTTP, RPC
from lymph.discovery.static import StaticServiceRegistry, StaticServiceRegistryHub
from lymph.exceptions import RegistrationFailure


class Web(lymph.Interface):
    namespaces = (RPC, HTTP)

    def instance_facts(self):
        return {'http_port': 8080}


FACTS = ServiceInstance('me', 'tcp://127.0.0.1:1', hostname='here')


def interface(name, version=None, namespaces=(RPC,), **facts):
    return SimpleNamespace(
        name=name, version=version, namespaces=namespaces, instance_facts=lambda: facts
    )


@pytest.fixture
def hub():
    return StaticServiceRegistryHub()


def test_every_version_is_registered_with_the_facts_of_its_process(hub):
    registry = StaticServiceRegistry(hub)
    Registrations(registry).register([interface('a', '1.2'), interface('a'), interface('b')], FACTS)
    assert registry.discover() == {'a', 'b'}
    assert sorted(i.key for i in registry.get('a')) == ['me', 'me@1.2']
    (b,) = registry.get('b')
    assert b == FACTS


def test_an_interface_is_registered_in_each_of_its_namespaces_with_facts_of_its_own(hub):
    registry = StaticServiceRegistry(hub)
    Registrations(registry).register([interface('w', None, (RPC, HTTP), http_port=8080)], FACTS)
    for namespace in (RPC, HTTP):
        (instance,) = registry.get('w', namespace)
        assert (instance.http_port, instance.hostname) == (8080, 'here')


def test_a_worker_is_registered_under_a_name_of_its_own(hub):
    registry = StaticServiceRegistry(hub)
    registrations = Registrations(registry, worker=True)
    registrations.register([interface('w', None, (RPC, HTTP))], FACTS)
    assert registry.discover(RPC) == {'w.worker'}
    assert registry.discover(HTTP) == set()
    assert registrations.name_of(interface('w')) == 'w.worker'


def test_withdrawn_entries_are_removed(hub):
    registry = StaticServiceRegistry(hub)
    registrations = Registrations(registry)
    registrations.register([interface('a'), interface('w', None, (RPC, HTTP))], FACTS)
    registrations.withdraw()
    registrations.withdraw()
    assert registry.discover(RPC) == registry.discover(HTTP) == set()


def test_failure_to_register_one_interface_registers_none(hub):
    class Refuses(StaticServiceRegistry):
        def register(self, name, instance, namespace=RPC):
            if name == 'c':
                raise RegistrationFailure('not you')
            super().register(name, instance, namespace)

    registry = Refuses(hub)
    with pytest.raises(RegistrationFailure):
        Registrations(registry).register([interface(name) for name in 'abcd'], FACTS)
    assert registry.discover() == set()


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (interface('a\nb'), "cannot register 'a\\\\nb': expected a name of 1 to 255 bytes"),
        (interface(''), "cannot register '': expected a name"),
        (interface('x' * 256), 'expected a name of 1 to 255 bytes'),
        (
            interface('b', 'one'),
            "cannot register 'b': expected version as 1, 1.2 or 1.2.3, found 'one'",
        ),
        (interface('b', http_port=0), 'expected http_port as a number from 1 to 65535, found 0'),
        (interface('b', http_port='80'), "expected http_port as integer, found '80'"),
    ],
)
def test_invalid_facts_are_not_registered(hub, wrong, said):
    registry = StaticServiceRegistry(hub)
    with pytest.raises(RegistrationFailure, match=said) as caught:
        Registrations(registry).register([interface('a'), wrong], FACTS)
    assert str(caught.value).isprintable()
    assert registry.discover() == set()


def test_facts_of_a_process_include_those_of_its_host(world):
    container = world.container((Web, 'web', '1.2'))
    (instance,) = world.container().lookup('web')
    assert (instance.identity, instance.endpoint) == (container.identity, container.endpoint)
    assert (instance.version, instance.http_port, instance.pid) == ('1.2', 8080, os.getpid())
    assert (instance.hostname, instance.ip) == (socket.gethostname(), '127.0.0.1')
    assert instance.fqdn
    assert instance.started > 0
