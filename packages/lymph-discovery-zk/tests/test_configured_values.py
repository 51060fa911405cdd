"""Every key of a registry, a partitioner and a client in ZooKeeper, with every kind of value."""

from __future__ import annotations

import pytest

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.discovery.zookeeper._client.paths import check_path, read_hosts
from lymph.testing.contracts.sections import (
    FLAGS,
    NUMBERS,
    TEXTS,
    check_refused,
    check_taken_or_refused,
    configuration,
)

MEMORY = {'events': {'class': 'null'}, 'rpc': {'transport': 'memory'}}
BASE = {'container': {**MEMORY, 'registry': {'class': 'zookeeper', 'zkclient': {'hosts': 'zk'}}}}

MAPPINGS = ('5', 'x', '[1]', 'true', '""', '.nan')
SECONDS = (*NUMBERS, '0', '0.0', '1.0e-9', '86401')
RETRY = {
    '': MAPPINGS,
    '.max_tries': (*(value for value in NUMBERS if value != '-1'), '-2', '0.5', '1000001'),
    '.delay': NUMBERS,
    '.backoff': (*NUMBERS, '0', '1001'),
    '.max_jitter': (*NUMBERS, '1.5'),
    '.max_delay': (*NUMBERS, '0'),
    '.ignore_expire': FLAGS,
    '.deadline': (*NUMBERS, '0'),
    '.sleep_func': ('x',),
    '.max_trys': ('1',),
}
CLIENT = {
    '': (*MAPPINGS, 'null', 'kazoo.client:KazooClient', '"dep:"', 'dep:nothing', '127.0.0.1:2181'),
    '.hosts': (
        *TEXTS,
        *(
            'a:b',
            '":1"',
            '","',
            '" , "',
            'zk://a:1',
            'a:1/../b',
            '[a/b, c]',
            '[a, null]',
            'a b',
            '"a/x,b/x"',
            '[a/x, b]',
        ),
        *('"a:0"', '"a:65536"', '"a:1:2"', '"[::1"'),
    ),
    '.timeout': SECONDS,
    '.timeot': ('1',),
    '.client_id': ('[1, x]', '5'),
    '.handler': TEXTS,
    '.default_acl': ('5', 'x', '[x]', '{a: 1}'),
    '.auth_data': ('5', 'x', '[x]', '[[digest]]', '[[digest, 5]]', '[[a, b, c]]', '{a: b}', '[[]]'),
    '.sasl_options': (*MAPPINGS, '{mechanism: 5}', '{username: x}'),
    '.read_only': FLAGS,
    '.randomize_hosts': FLAGS,
    '.use_ssl': FLAGS,
    '.verify_certs': FLAGS,
    '.ca': TEXTS,
    '.certfile': TEXTS,
    '.keyfile': TEXTS,
    '.keyfile_password': TEXTS,
    '.logger': TEXTS,
    '.max_retries': ('5',),
    **{f'.connection_retry{key}': values for key, values in RETRY.items()},
    **{f'.command_retry{key}': values for key, values in RETRY.items()},
}
REGISTRY = {
    'chroot': (
        *TEXTS,
        'lymph',
        '"/a /b"',
        '"/a/ "',
        '/a/../b',
        '/./a',
        '//a',
        '/a//b',
        '/..',
        r'"/\ue000"',
    ),
    'connect_timeout': SECONDS,
    'auth': MAPPINGS,
    'auth.user': (*TEXTS, 'a:b'),
    'auth.password': TEXTS,
    'auth.class': ('x',),
    'acl': (*TEXTS, 'public', 'private'),
    'zkhosts': ('a',),
    **{f'zkclient{key}': values for key, values in CLIENT.items()},
}


def build(config: Configuration) -> None:
    build_container(config).stop()


@pytest.mark.parametrize('key', REGISTRY)
def test_invalid_value_is_rejected_with_its_place(key: str) -> None:
    base = {**BASE}
    if key.startswith('auth.'):
        base = {'container': {**MEMORY, 'registry': {'zkclient': {}, 'auth': {'user': 'a'}}}}
        base['container']['registry']['auth']['password'] = 'b'
    check_refused(f'container.registry.{key}', REGISTRY[key], build, base)


@pytest.mark.parametrize('key', REGISTRY)
def test_any_invalid_value_raises_configuration_error(key: str) -> None:
    check_taken_or_refused(f'container.registry.{key}', build, BASE)


@pytest.mark.parametrize('key', ['zkclient', 'zkclient.hosts', 'chroot', 'zkclient.timeout'])
def test_partitioner_rejects_the_same_values_as_a_registry(key: str) -> None:
    base = {
        'container': {**MEMORY, 'registry': {'class': 'static'}},
        'components': {'SerialEventHandler': {'zkclient': {}}},
    }
    check_refused(f'components.SerialEventHandler.{key}', REGISTRY[key], build, base)


@pytest.mark.parametrize('key', ['hosts', 'timeout', 'connection_retry.delay', 'timeot'])
def test_invalid_value_of_a_dependency_is_rejected_with_its_place(key: str) -> None:
    base = {
        'dependencies': {'kazoo': {'class': 'kazoo.client:KazooClient'}},
        'container': {**MEMORY, 'registry': {'zkclient': 'dep:kazoo'}},
    }
    check_refused(f'dependencies.kazoo.{key}', CLIENT[f'.{key}'], build, base)


@pytest.mark.parametrize('key', [key for key in CLIENT if key.count('.') == 1])
def test_null_is_the_default(key: str) -> None:
    if key not in ('.timeot', '.max_retries'):
        build(configuration(f'container.registry.zkclient{key}', 'null', BASE))


def test_credentials_are_passed_on() -> None:
    value = '[[digest, "user:word"]]'
    container = build_container(configuration('container.registry.zkclient.auth_data', value, BASE))
    assert container.registry._session.client.auth_data == {('digest', 'user:word')}
    container.stop()


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('zk', 'zk:2181'),
        (' zk1:1 , zk2 ,', 'zk1:1,zk2:2181'),
        ('zk1:1,zk2/prefix/', 'zk1:1,zk2:2181/prefix'),
        ('zk/', 'zk:2181'),
        (['zk1', ' zk2:2 '], 'zk1:2181,zk2:2'),
        (['zk1,zk3', '', 'zk2'], 'zk1:2181,zk3:2181,zk2:2181'),
        (['zk1', '/prefix'], 'zk1:2181/prefix'),
        ('[::1]:5,::1', '[::1]:5,[::1]:2181'),
    ],
)
def test_hosts_are_accepted_in_all_common_forms(given: object, expected: str) -> None:
    assert read_hosts(given) == expected


def test_root_and_trailing_slash_are_valid_paths() -> None:
    assert [check_path(text) for text in ('/', '/a', '/a/b/', '/...')] == ['', '/a', '/a/b', '/...']


def test_every_form_of_the_manual_is_accepted() -> None:
    client = {'class': 'kazoo.client:KazooClient', 'hosts': '127.0.0.1:2181'}
    registry = {'class': 'lymph.discovery.zookeeper:ZookeeperServiceRegistry'}
    for config in (
        {'container': {**MEMORY, 'registry': {**registry, 'zkclient': client}}},
        {
            'dependencies': {'kazoo': client},
            'container': {**MEMORY, 'registry': {**registry, 'zkclient': 'dep:kazoo'}},
            'components': {'SerialEventHandler': {'zkclient': 'dep:kazoo'}},
        },
    ):
        build(Configuration(config))
