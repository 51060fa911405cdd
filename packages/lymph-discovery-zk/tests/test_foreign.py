"""Instances are found whatever else is in ZooKeeper."""

from __future__ import annotations

import json

import pytest
from kazoo.client import KazooClient
from kazoo.handlers.gevent import SequentialGeventHandler
from kazoo.security import make_digest_acl

from lymph.config import Configuration
from lymph.discovery.names import escape
from lymph.discovery.zookeeper import ZookeeperServiceRegistry
from lymph.exceptions import LookupFailure
from lymph.testing.contracts.registries import EntriesContract, make_instance
from lymph.testing.waiting import eventually


class TestForeignNodes(EntriesContract):
    @pytest.fixture(autouse=True)
    def _server(self, zookeeper_server, chroot, client):
        self.hosts = zookeeper_server.hosts
        self.chroot = chroot
        self.client = client

    def make_registry(self):
        client = KazooClient(self.hosts, handler=SequentialGeventHandler())
        return ZookeeperServiceRegistry(client, chroot=self.chroot)

    def plant(self, name, key, data, namespace='rpc'):
        folder = 'services' if namespace == 'rpc' else namespace
        path = f'{self.chroot}/{folder}/{escape(name)}/{escape(key)}'
        self.client.create(path, data, makepath=True)


@pytest.fixture
def services(chroot):
    return f'{chroot}/services'


def test_node_of_the_largest_size_hides_no_other(start, client, services):
    start().register('echo', one := make_instance())
    client.create(f'{services}/echo/large', b'x' * 1_000_000)
    assert list(start().get('echo')) == [one]


def test_unreadable_node_hides_no_other_and_is_read_once_permitted(start, client, services, caplog):
    registry, reader = start(), start()
    registry.register('echo', one := make_instance())
    path = f'{services}/echo/{(two := make_instance()).key}'
    acl = [make_digest_acl('somebody', 'else', all=True)]
    client.create(path, json.dumps(two.serialize()).encode(), acl=acl)
    service = reader.get('echo')
    assert list(service) == [one]
    for _ in range(3):
        reader.refresh(service, 'rpc')
    assert sum('NoAuthError' in each.getMessage() for each in caplog.records) == 1
    client.add_auth('digest', 'somebody:else')
    client.set_acls(path, registry._nodes._acl)
    reader.refresh(service, 'rpc')
    assert set(service) == {one, two}


def test_an_instance_with_nodes_below_it_is_an_instance(start, client, services):
    start().register('echo', make_instance())
    two = make_instance()
    client.create(f'{services}/echo/{two.key}', json.dumps(two.serialize()).encode())
    client.create(f'{services}/echo/{two.key}/below', b'')
    client.create(f'{services}/echo/folder/below', b'', makepath=True)
    reader = start()
    assert two in set(reader.get('echo'))
    assert len(reader.get('echo')) == 2


def test_node_with_additional_facts_is_an_instance(start, client, services):
    facts = {
        'identity': '0f4ab9e9d2ee4ae78e5b1ea8a4b2a2f4',
        'endpoint': 'tcp://10.0.0.1:32768',
        'hostname': 'other',
        'fqdn': 'other.example.org',
        'ip': '10.0.0.1',
        'pid': None,
        'version': None,
        'name': 'echo',
        'serializer': {'kind': 'msgpack'},
    }
    client.create(f'{services}/echo/{facts["identity"]}', json.dumps(facts).encode(), makepath=True)
    (found,) = start().get('echo')
    assert (found.identity, found.fqdn) == (facts['identity'], 'other.example.org')


def former(client, services, name, **facts):
    """Create the node of an instance of lymph 0.15."""
    identity = make_instance().identity
    facts = {
        'endpoint': 'tcp://10.0.0.1:32768',
        'identity': identity,
        'fqdn': 'old.example.org',
        'ip': '10.0.0.1',
        'log_endpoint': None,
        'backdoor_endpoint': '10.0.0.1:5001',
        'monitoring_endpoint': 'tcp://10.0.0.1:5002',
        **facts,
    }
    path = f'{services}/{name}/{identity}'
    client.create(path, json.dumps(facts).encode(), makepath=True, ephemeral=True)
    return path


def test_instances_of_lymph_0_15_are_left_out_with_one_warning(
    start, client, services, chroot, caplog
):
    registry, reader = start(), start()
    registry.register('echo', one := make_instance())
    for name in ('echo', 'echo', 'mail'):
        former(client, services, name)
    service = reader.get('echo')
    for _ in range(3):
        reader.refresh(service, 'rpc')
    with pytest.raises(LookupFailure):
        reader.get('mail')
    assert list(service) == [one]
    (warning,) = [each.getMessage() for each in caplog.records if '0.15' in each.getMessage()]
    assert warning.startswith(f'{chroot}: instances of lymph 0.15 are left out')
    former(client, services, 'echo')
    registry.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two})
    assert sum('0.15' in each.getMessage() for each in caplog.records) == 1


def test_an_instance_of_lymph_0_15_at_our_endpoint_is_left_alone(start, client, services):
    one = make_instance()
    path = former(client, services, 'echo', endpoint=one.endpoint)
    start().register('echo', one)
    assert client.exists(path)


def test_default_chroot_differs_from_that_of_lymph_0_15(zookeeper_server, client):
    path = former(client, '/lymph/services', 'echo')
    registry = ZookeeperServiceRegistry.from_config(
        Configuration({'registry': {'zkclient': {'hosts': zookeeper_server.hosts}}}).view(
            'registry'
        )
    )
    registry.on_start()
    try:
        registry.register('ours', make_instance())
        assert registry.discover() == {'ours'}
        assert client.get_children('/lymph/services') == ['echo']
    finally:
        registry.on_stop()
        registry.pool.kill()
    assert client.exists(path)


@pytest.mark.parametrize('part', ['%FF', '%', 'a b', 'ä', '%61', '%zz', '%0A', 'x' * 1000])
def test_nodes_without_a_valid_service_name_hide_no_service(start, client, services, part):
    registry = start()
    registry.register('echo', one := make_instance())
    client.create(f'{services}/{part}/x', b'', makepath=True)
    for _ in range(2):
        assert registry.discover() == {'echo'}
    assert list(start().get('echo')) == [one]
    assert client.exists(f'{services}/{part}')
    with pytest.raises(LookupFailure):
        registry.get('mail')


def test_node_with_data_and_without_instances_is_not_deleted(start, client, services):
    registry = start()
    registry.register('echo', make_instance())
    client.create(f'{services}/notes', b'mine')
    assert registry.discover() == {'echo'}
    client.create(f'{services}/empty', b'')
    assert registry.discover() == {'echo'}
    eventually(lambda: sorted(client.get_children(services)) == ['echo', 'notes'])


def test_missing_read_permission_is_an_error_that_names_the_settings(start, client, chroot):
    client.ensure_path(f'{chroot}/services')
    client.set_acls(f'{chroot}/services', [make_digest_acl('somebody', 'else', all=True)])
    with pytest.raises(LookupFailure, match=r'NoAuthError \(not allowed .*: see auth and acl\)$'):
        start().discover()
