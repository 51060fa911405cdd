from __future__ import annotations

import io

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.versioning import parse_version
from lymph.discovery.static import StaticServiceRegistry, StaticServiceRegistryHub
from lymph.exceptions import LookupFailure
from lymph.testing.contracts.registries import RegistryContract, make_instance


class TestStaticRegistry(RegistryContract):
    def setup_method(self):
        super().setup_method()
        self.hub = StaticServiceRegistryHub()

    def make_registry(self):
        return self.hub.create_registry()


def configured(text):
    config = Configuration()
    config.load(io.StringIO(text))
    return config.create_instance('container.registry', group='lymph.discovery')


def test_fixed_addresses_are_read_from_the_configuration():
    registry = configured("""
        container:
          registry:
            class: static
            services:
              echo: [tcp://10.0.0.1:4123, 'tcp://[::1]:4123']
              mail: tcp://mail:4123
              data.store:
                - {endpoint: 'ipc:///run/store', version: '1.2'}
        """)
    assert registry.discover() == {'echo', 'mail', 'data.store'}
    assert [i.endpoint for i in registry.get('echo')] == ['tcp://10.0.0.1:4123', 'tcp://[::1]:4123']
    assert [i.endpoint for i in registry.get('mail')] == ['tcp://mail:4123']
    (store,) = registry.get('data.store').match(parse_version('1.1'))
    assert store.endpoint == 'ipc:///run/store'


def test_identity_of_a_fixed_address_is_derived_from_it():
    text = 'container: {registry: {class: static, services: {a: %s, b: tcp://x:1}}}'
    one, two = configured(text % 'tcp://x:1'), configured(text % 'tcp://x:2')
    assert next(iter(one.get('a'))).identity == next(iter(two.get('b'))).identity
    assert next(iter(one.get('a'))).identity != next(iter(two.get('a'))).identity


@pytest.mark.parametrize(
    ('services', 'said'),
    [
        ('{echo: [tcp://a:1, nonsense]}', "echo.1: expected an endpoint like .*'nonsense'"),
        ('{echo: tcp://a}', "services.echo: expected an endpoint like .*'tcp://a'"),
        ('{echo: [tcp://a:99999]}', 'services.echo.0: expected an endpoint like'),
        ('{echo: 5}', 'services.echo: expected an endpoint like .* found 5'),
        ('{echo: [{version: "1"}]}', 'services.echo.0: expected an endpoint like'),
        (
            '{echo: {endpoint: tcp://a:1, version: 1.0}}',
            'services.echo: expected a version as text',
        ),
        ('{echo: {endpoint: tcp://a:1, version: x}}', 'services.echo: expected a version like'),
        ('{echo: {endpoint: tcp://a:1, versoin: x}}', "echo.versoin: .* did you mean 'version'"),
        ('[tcp://a:1]', 'services: expected a mapping'),
        ('{echo: tcp://a:0}', 'services.echo: expected an endpoint like'),
        ('{echo: "tcp://a\\e:1"}', 'services.echo: expected an endpoint like'),
        ('{echo: [[tcp://a:1]]}', 'services.echo.0: expected an endpoint like'),
        ('{echo: {endpoint: {a: 1}}}', 'services.echo: expected an endpoint like'),
        ('{echo: {endpoint: tcp://a:1, version: [1]}}', 'services.echo: expected a version as'),
        ('{"a\\nb": tcp://a:1}', 'expected a name of 1 to 255 bytes'),
    ],
)
def test_invalid_address_is_an_error_that_names_its_place(services, said):
    with pytest.raises(ConfigurationError, match=r'^<config>:1: container\.registry\..*') as caught:
        configured(f'container: {{registry: {{class: static, services: {services}}}}}')
    assert caught.match(said)
    assert str(caught.value).isprintable()


def test_unknown_option_is_an_error():
    with pytest.raises(ConfigurationError, match=r"registry\.service: .* did you mean 'services'"):
        configured('container: {registry: {class: static, service: {}}}')


def test_hub_can_be_shared_through_the_configuration():
    config = Configuration(
        {
            'dependencies': {'hub': {'class': 'lymph.discovery.static:StaticServiceRegistryHub'}},
            'shared': {'class': 'static', 'hub': 'dep:hub'},
            'alone': {'class': 'static'},
            'wrong': {'class': 'static', 'hub': 'hub'},
        }
    )
    first, second, alone = (
        config.create_instance(key, group='lymph.discovery')
        for key in ('shared', 'shared', 'alone')
    )
    first.register('echo', instance := make_instance())
    assert list(second.get('echo')) == [instance]
    with pytest.raises(LookupFailure):
        alone.get('echo')
    with pytest.raises(ConfigurationError, match=r'wrong\.hub: expected dep:'):
        config.create_instance('wrong', group='lymph.discovery')


def test_fixed_addresses_stay_in_the_hub_after_their_registry_stops():
    hub = StaticServiceRegistryHub()
    registry = StaticServiceRegistry(hub, {'echo': [make_instance()]})
    registry.register('echo', make_instance())
    registry.on_stop()
    assert len(hub.create_registry().get('echo')) == 1
