from __future__ import annotations

import io

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.addresses import Address
from lymph.core.container import Container, ServiceContainer
from lymph.core.settings import ContainerSettings, read_settings, read_transport
from lymph.core.transport.memory import MemoryTransport
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.embedded import EmbeddedEventSystem
from lymph.events.local import LocalEventSystem
from lymph.events.null import NullEventSystem


def section(text):
    config = Configuration()
    config.load(io.StringIO(f'container: {text}'))
    return config.view('container')


def test_an_empty_section_has_the_defaults():
    assert read_settings(Configuration().view('container')) == ContainerSettings()
    assert ContainerSettings() == ContainerSettings(
        ip='127.0.0.1',
        port=0,
        pool_size=None,
        drain_timeout=5.0,
        block_threshold=1.0,
        rpc_timeout=1.0,
        rpc_retries=2,
        rpc_idle_timeout=300.0,
        rpc_connect_timeout=1.0,
        metrics_tags={},
    )


def test_every_setting_is_read():
    assert read_settings(
        section("""
            ip: 10.0.0.1
            port: 4123
            advertise: svc.example:4000
            pool_size: 7
            drain_timeout: 2.5
            block_threshold: 0
            rpc: {timeout: 3, retries: 0, idle_timeout: 60, connect_timeout: 0.5, transport: zmtp}
            metrics: {tags: {zone: a, rack: 5}}
            class: lymph.core.container:ServiceContainer
            registry: {class: static}
            events: {class: local}
        """)
    ) == ContainerSettings(
        ip='10.0.0.1',
        port=4123,
        advertise=Address('svc.example', 4000),
        pool_size=7,
        drain_timeout=2.5,
        block_threshold=0,
        rpc_timeout=3,
        rpc_retries=0,
        rpc_idle_timeout=60,
        rpc_connect_timeout=0.5,
        metrics_tags={'zone': 'a', 'rack': '5'},
    )


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('{port: 70000}', 'container.port: expected a whole number from 0 to 65535, found the'),
        ('{port: -1}', 'container.port: expected a whole number from 0 to 65535'),
        ('{port: x}', 'container.port: expected'),
        ('{pool_size: 0}', 'container.pool_size: expected a whole number from 1 to 1000000, found'),
        ('{drain_timeout: -1}', 'container.drain_timeout: expected seconds, 0 or from'),
        ('{block_threshold: -1}', 'container.block_threshold: expected seconds, 0 or from'),
        (
            '{rpc: {timeout: 0}}',
            'container.rpc.timeout: expected seconds from 0.001 to 31536000, found',
        ),
        ('{rpc: {timeout: soon}}', 'container.rpc.timeout: expected'),
        ('{rpc: {retries: -1}}', 'container.rpc.retries: expected a whole number from 0 to 100'),
        ('{rpc: {connect_timeout: 0}}', 'container.rpc.connect_timeout: expected seconds from'),
        ('{rpc: {connect_timeout: .inf}}', 'container.rpc.connect_timeout: expected seconds'),
        ('{rpc: {idle_timeout: 0}}', 'container.rpc.idle_timeout: expected seconds from 0.001'),
        (
            '{rpc: {timeuot: 1}}',
            "container.rpc.timeuot: unknown option .* did you mean 'timeout'?",
        ),
        ('{prot: 1}', "container.prot: unknown option .* did you mean 'port'?"),
        ('{metrics: {tag: {}}}', "container.metrics.tag: unknown option .* did you mean 'tags'?"),
        ('{ip: 5}', 'container.ip: expected an IP address or a host name, found 5'),
        ("{ip: ''}", "container.ip: expected an IP address or a host name, found ''"),
        ("{ip: ' 10.0.0.1'}", "container.ip: expected .* found ' 10.0.0.1'"),
        ('{ip: a b}', "container.ip: expected .* found 'a b'"),
        ('{ip: "10.0.0.1:4000"}', "container.ip: expected .* found '10.0.0.1:4000'"),
        ('{ip: 10.0.0.256}', 'container.ip: expected'),
        ('{ip: [127.0.0.1]}', 'container.ip: expected'),
        ('{ip: true}', 'container.ip: expected'),
        ("{advertise: ''}", "container.advertise: expected an IP address .*, found ''"),
        ('{advertise: 5}', 'container.advertise: expected a host and perhaps a port, .* found 5'),
        ('{advertise: [1]}', 'container.advertise: expected a host and perhaps a port'),
        ('{advertise: {host: a}}', 'container.advertise: expected a host and perhaps a port'),
        ('{advertise: "svc:0"}', "container.advertise: expected a port from 1 to 65535, found '0'"),
        ('{advertise: "svc:70000"}', 'container.advertise: expected a port from 1 to 65535'),
        ('{advertise: "tcp://svc:1"}', 'container.advertise: expected a host and perhaps a port'),
        (
            '{advertise: 0.0.0.0}',
            'container.advertise: expected an address that others can connect',
        ),
        ('{advertise: "[::]:1"}', 'container.advertise: expected an address that others can'),
        ('[]', 'container: expected'),
        ('{rpc: 5}', 'container.rpc: expected'),
        ('{metrics: {tags: 5}}', 'container.metrics.tags: expected'),
        ('{metrics: {tags: {le: x}}}', 'container.metrics.tags.le: expected the name of a tag'),
        ('{metrics: {tags: {"": x}}}', 'container.metrics.tags.*: expected the name of a tag'),
    ],
)
def test_invalid_setting_is_an_error_that_names_file_and_key(text, said):
    with pytest.raises(ConfigurationError, match=f'^<config>:1: {said}'):
        read_settings(section(text))


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('{rpc: {transport: carrier_pigeon}}', r"container\.rpc\.transport: .*'carrier_pigeon'"),
        (
            '{rpc: {max_message_size: 10}}',
            r'container\.rpc\.max_message_size: expected a whole number from 1024',
        ),
        (
            '{rpc: {max_message_size: 4096, max_buffered: 8191}}',
            r'container\.rpc\.max_buffered: expected 8192 bytes \(twice rpc\.max_message_size\)',
        ),
        ('{rpc: {max_buffered: lots}}', r'container\.rpc\.max_buffered: expected'),
        ('{rpc: {unresponsive_timeout: 0}}', r'container\.rpc\.unresponsive_timeout: expected sec'),
        ('{rpc: {transport: "lymph.events.null:NullEventSystem"}}', r'container\.rpc\.transport: '),
    ],
)
def test_invalid_transport_is_an_error_that_names_file_and_key(text, said):
    with pytest.raises(ConfigurationError, match=f'^<config>:1: {said}'):
        read_transport(section(text))


def test_a_transport_is_chosen_by_its_name():
    assert type(read_transport(section('{}'))) is ZmtpTransport
    transport = read_transport(
        section('{rpc: {transport: memory, max_message_size: 4096, unresponsive_timeout: 5}}')
    )
    assert type(transport) is MemoryTransport
    assert transport.max_message_size == 4096
    assert transport.unresponsive_timeout == 5
    assert transport.max_buffered == 4 * 4096
    bounded = section('{rpc: {max_message_size: 4096, max_buffered: 8192}}')
    assert read_transport(bounded).max_buffered == 8192


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))


@pytest.mark.usefixtures('state')
@pytest.mark.parametrize('config', [None, 'empty'])
def test_without_a_section_the_embedded_backends_are_used(config):
    container = ServiceContainer.from_config(config and section('{}'))
    assert type(container.registry) is EmbeddedServiceRegistry
    assert type(container.events) is EmbeddedEventSystem
    assert container.settings == ContainerSettings()
    container.stop()


@pytest.mark.usefixtures('state')
def test_backends_are_chosen_by_their_names():
    container = ServiceContainer.from_config(
        section("""
            registry: {class: static, services: {echo: tcp://127.0.0.1:1}}
            events: {class: 'null'}
            rpc: {transport: memory}
            pool_size: 3
        """)
    )
    assert type(container.registry) is StaticServiceRegistry
    assert type(container.events) is NullEventSystem
    assert container.workers.size == 3
    container.start()
    assert container.endpoint.startswith('memory://')
    assert container.discover() == {'echo'}
    container.stop()


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (
            '{events: {}}',
            r'container\.events\.class: expected an event system \(installed: .*local',
        ),
        ('{events: {class: lokal}}', r"container\.events\.class: .* did you mean 'local'\?"),
        ('{events: {class: static}}', r'container\.events\.class: '),
        ('{registry: {class: statik}}', r"container\.registry\.class: .* did you mean 'static'\?"),
        ('{registry: {class: static, servces: {}}}', r'container\.registry\.servces: '),
        ('{events: {class: local, x: 1}}', r'container\.events\.x: unknown option'),
    ],
)
@pytest.mark.usefixtures('state')
def test_invalid_backend_is_an_error_that_names_file_and_key(text, said):
    with pytest.raises(ConfigurationError, match=f'^<config>:1: {said}'):
        ServiceContainer.from_config(section(text))


@pytest.mark.usefixtures('state')
def test_overrides_take_precedence_over_the_section():
    registry, events, transport = StaticServiceRegistry(), LocalEventSystem(), MemoryTransport()
    container = ServiceContainer.from_config(
        section('{ip: 10.0.0.1, port: 1, registry: {class: nonsense}}'),
        ip='127.0.0.2',
        port=0,
        registry=registry,
        events=events,
        transport=transport,
        worker=True,
    )
    assert (container.registry, container.events) == (registry, events)
    assert (container.settings.ip, container.settings.port) == ('127.0.0.2', 0)
    assert container.worker
    container.stop()


def test_override_of_none_is_ignored():
    container = ServiceContainer.from_config(
        section('{ip: 127.0.0.3, registry: {class: static}, events: {class: local}}'),
        ip=None,
        port=None,
        registry=None,
    )
    assert container.settings.ip == '127.0.0.3'
    assert type(container.registry) is StaticServiceRegistry
    container.stop()


def test_overrides_do_not_change_the_configuration():
    config = section('{ip: 127.0.0.3, registry: {class: static}, events: {class: local}}')
    ServiceContainer.from_config(config, ip='127.0.0.4').stop()
    assert config.get('ip') == '127.0.0.3'


def test_container_is_an_alias_of_service_container():
    assert Container is ServiceContainer


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'ip': ''}, "^ip: expected an IP address or a host name, found ''"),
        ({'ip': 'a b'}, '^ip: expected'),
        ({'port': 70000}, '^port: expected a port from 0 to 65535, found 70000'),
    ],
)
def test_overrides_are_checked_like_settings(given, said):
    with pytest.raises(ConfigurationError, match=said):
        ServiceContainer.from_config(section('{}'), **given)


def test_ipv6_address_may_be_in_brackets():
    assert read_settings(section('{ip: "[::1]"}')).ip == '::1'
    assert read_settings(section('{}'), ip='[::1]').ip == '::1'
