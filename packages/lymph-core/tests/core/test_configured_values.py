"""Every key of the sections that lymph-core reads, with every kind of value."""

from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.testing.contracts.sections import (
    NUMBERS,
    TEXTS,
    check_refused,
    check_taken_or_refused,
    configuration,
)

MEMORY = {
    'container': {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'rpc': {'transport': 'memory'},
    }
}
EMBEDDED = {'container': {'registry': {'class': 'embedded'}, 'events': {'class': 'embedded'}}}
ZEROMQ = {'container': {**MEMORY['container'], 'rpc': {'transport': 'zeromq'}}}
LOCAL = {'container': {**MEMORY['container'], 'events': {'class': 'local'}}}

NONE = ('0', '0.0', '1.0e-9')  # numbers that some keys take and others do not
MAPPINGS = ('5', 'x', '""', '[1]', 'true', '.nan')

REFUSED = [
    ('container.port', (*NUMBERS, '65536', '0.5'), MEMORY),
    ('container.pool_size', (*NUMBERS, *NONE, '1000001'), MEMORY),
    ('container.drain_timeout', (*NUMBERS, '31536001', '1.0e-9'), MEMORY),
    ('container.block_threshold', (*NUMBERS, '0.001'), MEMORY),
    ('container.rpc.timeout', (*NUMBERS, *NONE), MEMORY),
    ('container.rpc.idle_timeout', (*NUMBERS, *NONE), MEMORY),
    ('container.rpc.connect_timeout', (*NUMBERS, *NONE, '86401'), MEMORY),
    ('container.rpc.unresponsive_timeout', (*NUMBERS, *NONE, '0.01', '86401'), MEMORY),
    ('container.rpc.retries', (*NUMBERS, '0.5', '101'), MEMORY),
    ('container.rpc.max_message_size', (*NUMBERS, *NONE, '1023', '2147483648'), MEMORY),
    ('container.rpc.max_buffered', (*NUMBERS, *NONE, '1024'), MEMORY),
    ('container.rpc.transport', TEXTS, MEMORY),
    ('container.rpc.curve', MAPPINGS, ZEROMQ),
    ('container.rpc.curve.secret_key', (*TEXTS, 'short'), ZEROMQ),
    ('container.rpc.curve.server_key', (*TEXTS, 'short'), ZEROMQ),
    ('container.rpc.curve.secret_kye', ('x',), ZEROMQ),
    ('container.ip', (*TEXTS, 'a b'), MEMORY),
    ('container.advertise', (*TEXTS, 'a b', '0.0.0.0'), MEMORY),
    ('container.log_endpoint', (*TEXTS, 'x', 'tcp://', 'tcp://a:65536', 'udp://a:1'), MEMORY),
    ('container.rpc.slow_call', (*NUMBERS, '31536001', '1.0e-9'), MEMORY),
    ('container.rpc.call_log', MAPPINGS, MEMORY),
    ('container.rpc.call_log.sample', (*NUMBERS, '1.01', '2'), MEMORY),
    ('container.rpc.call_log.smaple', ('0.1',), MEMORY),
    ('container.operations', ('5', 'x', '""', '[1]', '.nan', '9090'), MEMORY),
    ('container.operations.port', (*NUMBERS, '65536', '0.5'), MEMORY),
    ('container.operations.ip', (*TEXTS, 'a b'), MEMORY),
    ('container.operations.away', (*NUMBERS, '31536001', '1.0e-9'), MEMORY),
    ('container.operations.blocked', (*NUMBERS, *NONE, '0.001'), MEMORY),
    ('container.operations.prot', ('9090',), MEMORY),
    ('container.metrics', MAPPINGS, MEMORY),
    ('container.metrics.tags', MAPPINGS, MEMORY),
    ('container.metrics.tags.env', ('.inf', '.nan', 'no', '""', '[1]', '{a: 1}', 'null'), MEMORY),
    ('container.class', (*TEXTS, 'x', 'a.b:C'), MEMORY),
    ('container', MAPPINGS, None),
    ('container.rpc', MAPPINGS, EMBEDDED),
    ('container.registry', (*TEXTS[:4], '[1]', 'x', '{class: x}', '{class: "os:path"}'), MEMORY),
    (
        'container.registry.class',
        (*TEXTS, 'null', 'x', 'os:getcwd', 'lymph.events.null:X'),
        EMBEDDED,
    ),
    ('container.registry.path', (*TEXTS, 'relative'), EMBEDDED),
    ('container.registry.services', MAPPINGS, MEMORY),
    ('container.registry.services.echo', ('5', '""', 'x', 'null', '[5]', '{endpoint: 5}'), MEMORY),
    ('container.registry.hub', TEXTS, MEMORY),
    ('container.events', (*TEXTS[:4], '[1]', 'x', '{class: x}'), MEMORY),
    ('container.events.class', (*TEXTS, 'null', '~', 'x', 'os:getcwd'), EMBEDDED),
    ('container.events.path', (*TEXTS, 'relative'), EMBEDDED),
    ('container.events.confirm_timeout', (*NUMBERS, *NONE, '86401'), EMBEDDED),
    ('container.events.stall_timeout', (*NUMBERS, *NONE, '0.01', '61'), EMBEDDED),
    ('container.events.hub', TEXTS, LOCAL),
    ('container.events.x', ('1',), MEMORY),
    ('debug', MAPPINGS, MEMORY),
    ('debug.backdoor_ip', (*TEXTS, 'a b'), MEMORY),
    ('debug.backdoor_token', (*TEXTS, 'short'), MEMORY),
    ('debug.backdoor_pi', ('127.0.0.1',), MEMORY),
    ('components', MAPPINGS, MEMORY),
    ('components.x', (*MAPPINGS, 'null', '{}'), MEMORY),
    ('components.x.class', (*TEXTS, 'x', 'os:getcwd'), MEMORY),
    ('components.SerialEventHandler', ('5', 'x', '[1]', '{class: x}'), MEMORY),
    ('components.SerialEventHandler.x', ('1',), MEMORY),
    ('plugins', MAPPINGS, MEMORY),
    ('plugins.x', (*MAPPINGS, 'null', '{}'), MEMORY),
    ('plugins.x.class', (*TEXTS, 'x', 'os:getcwd'), MEMORY),
    ('interfaces', MAPPINGS, MEMORY),
    ('interfaces.x', (*MAPPINGS, 'null', '{}'), MEMORY),
    ('interfaces.x.class', (*TEXTS, 'x', 'os:getcwd', 'lymph.config:Configuration'), MEMORY),
]


def build(config):
    build_container(config).stop()


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))


@pytest.mark.parametrize(('key', 'values', 'base'), REFUSED, ids=[key for key, _, _ in REFUSED])
def test_invalid_value_is_rejected_with_its_place(key, values, base):
    check_refused(key, values, build, base)


@pytest.mark.parametrize(('key', 'base'), {key: base for key, _, base in REFUSED}.items(), ids=str)
def test_any_invalid_value_raises_configuration_error(key, base):
    check_taken_or_refused(key, build, base)


def test_dependency_of_the_wrong_kind_is_rejected():
    for key, expected in (
        ('container.registry', 'expected a registry, found'),
        ('container.events', 'expected an event system, found'),
    ):
        base = {'dependencies': {'other': {'class': 'collections:OrderedDict'}}}
        with pytest.raises(ConfigurationError, match=rf'^<config>:1: {key}: {expected}'):
            build(configuration(key, 'dep:other', base))


def test_tags_may_be_text_or_numbers():
    config = configuration('container.metrics.tags', '{env: prod, rack: 5, load: 0.5}', MEMORY)
    container = build_container(config)
    assert container.settings.metrics_tags == {'env': 'prod', 'rack': '5', 'load': '0.5'}
    container.stop()


@pytest.mark.parametrize('key', ['container.log_endpoint', 'debug.backdoor_ip'])
def test_null_counts_as_not_set(key, caplog):
    build(configuration(key, 'null', MEMORY))
    assert not caplog.records


def test_every_key_of_the_manual_is_accepted():
    config = Configuration(
        {
            'container': {
                'class': 'lymph.core.container:Container',
                'ip': '127.0.0.1',
                'port': 0,
                'log_endpoint': 'tcp://127.0.0.1:5000',
                'pool_size': 10,
                'registry': {'class': 'static'},
                'events': {'class': 'lymph.events.null:NullEventSystem'},
                'metrics': {'tags': {'env': 'test'}},
            },
            'interfaces': {'echo': {'class': 'lymph:Interface', 'delay': 10}},
            'components': {'SerialEventHandler': {'class': 'registry'}},
            'debug': {'backdoor_ip': '127.0.0.1'},
        }
    )
    build(config)


def test_the_event_system_of_the_manual_may_be_written_with_dots():
    build(configuration('container.events.class', 'lymph.events.null.NullEventSystem', MEMORY))
