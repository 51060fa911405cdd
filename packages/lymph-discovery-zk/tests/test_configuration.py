from __future__ import annotations

import io
import logging
from pathlib import Path

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.handlers.threading import SequentialThreadingHandler

from lymph.config import Configuration, ConfigurationError
from lymph.discovery.zookeeper import ZookeeperServiceRegistry
from lymph.exceptions import LookupFailure, RegistrationFailure
from lymph.testing.contracts.registries import make_instance
from lymph.testing.faults.names import SilentNames


def configured(text):
    config = Configuration()
    config.load(io.StringIO(text))
    return config, config.create_instance(
        'container.registry',
        ZookeeperServiceRegistry,
        group='lymph.discovery',
    )


def client_of(registry):
    return registry._session.client


def test_client_of_the_manual_is_created_with_the_gevent_handler():
    _, registry = configured("""
        container:
            registry:
                class: lymph.discovery.zookeeper:ZookeeperServiceRegistry
                zkclient:
                    class: kazoo.client:KazooClient
                    hosts: 127.0.0.1:2181,zk2:2182
                    timeout: 5
        """)
    client = client_of(registry)
    assert isinstance(client.handler, SequentialGeventHandler)
    assert client.hosts == [('127.0.0.1', 2181), ('zk2', 2182)]
    assert client._conn_retry.max_delay == 1.0
    assert client._conn_retry.max_tries == -1


def test_client_may_be_a_shared_dependency():
    config, registry = configured("""
        dependencies:
            kazoo:
                class: kazoo.client:KazooClient
                hosts: [127.0.0.1:2181, zk2]
        container:
            registry: {class: zookeeper, zkclient: dep:kazoo}
        components:
            other: {zkclient: dep:kazoo}
        """)
    assert config.get('components.other.zkclient') is client_of(registry)
    assert isinstance(client_of(registry).handler, SequentialGeventHandler)
    assert client_of(registry).hosts == [('127.0.0.1', 2181), ('zk2', 2181)]


def test_options_of_kazoo_are_passed_on(tmp_path):
    files = {name: str(tmp_path / name) for name in ('ca', 'cert', 'key')}
    for file in files.values():
        Path(file).touch()
    _, registry = configured(f"""
        container:
            registry:
                zkclient:
                    hosts: zk/prefix
                    use_ssl: true
                    ca: {files['ca']}
                    certfile: {files['cert']}
                    keyfile: {files['key']}
                    connection_retry: {{max_delay: 7}}
                    command_retry: {{max_tries: 3}}
        """)
    client = client_of(registry)
    assert client.chroot == '/prefix'
    assert (client.use_ssl, client.ca) == (True, files['ca'])
    assert (client.certfile, client.keyfile) == (files['cert'], files['key'])
    assert client._conn_retry.max_delay == 7
    assert client._retry.max_tries == 3


@pytest.mark.parametrize('key', ['ca', 'certfile', 'keyfile'])
def test_missing_file_for_tls_is_named_at_its_key(key):
    with pytest.raises(ConfigurationError, match=rf"zkclient\.{key}: cannot read .*'/no/file'"):
        configured(f"""
            container:
                registry:
                    zkclient: {{hosts: zk, use_ssl: true, {key}: /no/file}}
            """)


@pytest.mark.parametrize(
    ('registry', 'said'),
    [
        ('{}', r'registry\.zkclient: expected a ZooKeeper client'),
        ('{zkclient: dep:kazoo}', r"registry\.zkclient: no dependency 'kazoo'"),
        ('{zkclient: 5}', r'registry\.zkclient: expected a ZooKeeper client.*found the number 5'),
        ('{zkclient: {hosts: []}}', r'zkclient\.hosts: expected host:port, .* found a list'),
        (
            '{zkclient: {hosts: 2181}}',
            r'zkclient\.hosts: expected host:port, .* found the number 2181',
        ),
        ('{zkclient: {hosts: "a:b"}}', r"zkclient\.hosts: expected host:port, .* found text 'a:b'"),
        ('{zkclient: {hosts: ":1"}}', r"zkclient\.hosts: expected host:port, .* found text ':1'"),
        ('{zkclient: {host: zk}}', r'registry\.zkclient\.host: unknown option'),
        ('{zkclient: {connection_retry: 5}}', r'connection_retry: expected a mapping'),
        ('{zkclient: {connection_retry: {tries: 5}}}', r'connection_retry\.tries: unknown option'),
        (
            '{zkclient: {timeot: 1}}',
            r"zkclient\.timeot: unknown option .* did you mean 'timeout'\?",
        ),
        (
            '{zkclient: "kazoo.client:KazooClient"}',
            r'zkclient: .* a mapping such as \{hosts: "127\.0\.0\.1:2181"\}, or dep:<name>',
        ),
        ('{zkclient: {}, chroot: lymph}', r"registry\.chroot: expected a path .* 'lymph'"),
        ('{zkclient: {}, connect_timeout: 0}', r'connect_timeout: expected seconds from 0.001'),
        ('{zkclient: {}, zkhosts: a}', r'registry\.zkhosts: unknown option'),
        (
            '{zkclient: {}, acl: public}',
            r"registry\.acl: expected private or .* found text 'public'",
        ),
        ('{zkclient: {}, acl: private}', r"registry\.acl: 'private' needs a user"),
        ('{zkclient: {}, auth: {user: "a:b", password: x}}', r'auth\.user: expected a name'),
        ('{zkclient: {}, auth: {user: a}}', r'auth\.password: expected text'),
    ],
)
def test_invalid_values_are_errors_that_name_the_place(registry, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        configured(f'container: {{registry: {registry}}}')
    assert str(caught.value).startswith('<config>:1: container.registry')


@pytest.mark.parametrize(
    'registry',
    [
        '{zkclient: {}, auth: secret}',
        '{zkclient: {}, auth: {user: [secret], password: x}}',
        '{zkclient: {}, auth: {user: lymph, password: [secret]}}',
        '{zkclient: {}, auth: {user: lymph, passwort: secret, password: secret}}',
        '{zkclient: {auth_data: [[digest, secret, more]]}}',
        '{zkclient: {keyfile_pasword: secret}}',
    ],
)
def test_no_error_shows_a_password(registry):
    with pytest.raises(ConfigurationError) as caught:
        configured(f'container: {{registry: {registry}}}')
    assert 'secret' not in str(caught.value)


def test_client_that_would_block_the_hub_is_rejected():
    client = KazooClient(handler=SequentialThreadingHandler())
    with pytest.raises(ConfigurationError, match=r'SequentialGeventHandler.*found one with'):
        ZookeeperServiceRegistry(client)
    with pytest.raises(ConfigurationError, match='expected a kazoo client, found'):
        ZookeeperServiceRegistry(object())


def test_nodes_are_accessible_only_to_their_creator(start, client, chroot, caplog):
    caplog.set_level(logging.DEBUG)
    auth = {'user': 'lymph', 'password': 'very-secret'}
    owner, reader = start(auth=auth), start(auth=auth)
    owner.register('echo', one := make_instance())
    assert list(reader.get('echo')) == [one]
    with pytest.raises(NoAuthError):
        client.get_children(f'{chroot}/services/echo')
    stranger = start()
    with pytest.raises(LookupFailure, match="cannot look up 'echo': NoAuthError"):
        stranger.get('echo')
    with pytest.raises(RegistrationFailure, match=r"cannot register 'echo' .*: NoAuthError"):
        stranger.register('echo', make_instance())
    owner.unregister('echo', one)
    assert reader.discover() == set()
    gevent.sleep(0)
    assert 'Auth' in caplog.text
    assert 'very-secret' not in caplog.text


def test_nodes_may_be_readable_for_everybody(start, client, chroot):
    owner = start(auth={'user': 'lymph', 'password': 'x'}, acl='readable')
    owner.register('echo', one := make_instance())
    stranger = start()
    assert list(stranger.get('echo')) == [one]
    with pytest.raises(NoAuthError):
        client.delete(f'{chroot}/services/echo/{one.key}')
    with pytest.raises(RegistrationFailure):
        stranger.register('echo', make_instance())


def test_host_name_without_an_answer_does_not_delay_the_next_server(zookeeper_server, start):
    port = zookeeper_server.hosts.rpartition(':')[2]
    with SilentNames() as names:
        registry = start(f'zk1.silent:{port},zk2.here:{port}')
        assert registry.discover() == set()
        assert names.asked['zk1.silent'] == 1


def test_host_names_without_an_answer_are_an_error_in_time(make):
    registry = make('zk.silent:2181', connect_timeout=0.5)
    with (
        SilentNames(),
        pytest.raises(RegistrationFailure, match=r'the name zk\.silent was not'),
    ):
        registry.on_start()
