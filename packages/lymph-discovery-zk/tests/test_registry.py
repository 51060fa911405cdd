from __future__ import annotations

import contextlib
import gc
import json
import os

import gevent
import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError, NotEmptyError
from kazoo.handlers.gevent import SequentialGeventHandler

from lymph.discovery.zookeeper import ZookeeperServiceRegistry
from lymph.exceptions import LookupFailure, RegistrationFailure
from lymph.testing.contracts.registries import RegistryContract, make_instance
from lymph.testing.waiting import eventually


class TestZookeeperRegistry(RegistryContract):
    @pytest.fixture(autouse=True)
    def _server(self, zookeeper_server, chroot):
        self.hosts = zookeeper_server.hosts
        self.chroot = chroot

    def make_registry(self):
        client = KazooClient(self.hosts, handler=SequentialGeventHandler())
        return ZookeeperServiceRegistry(client, chroot=self.chroot)


def test_an_instance_is_an_ephemeral_node_with_its_facts(start, client, chroot):
    registry = start()
    instance = make_instance(version='1.5.0', ip='10.1.2.3')
    registry.register('echo', instance)
    registry.register('web', instance, 'http')
    for folder in ('services/echo', 'http/web'):
        data, stat = client.get(f'{chroot}/{folder}/{instance.identity}@1.5.0')
        assert json.loads(data) == instance.serialize()
        assert stat.ephemeralOwner
    registry.on_stop()
    assert client.get_children(f'{chroot}/services') == []


def test_changes_of_other_processes_to_their_nodes_are_seen(start, client, chroot):
    one = make_instance()
    path = f'{chroot}/services/echo/{one.key}'
    client.create(path, json.dumps(one.serialize()).encode(), makepath=True)
    service = start().get('echo')
    for port in (8080, 8081):
        client.set(path, json.dumps({**one.serialize(), 'http_port': port}).encode())
        eventually(lambda port=port: [i.http_port for i in service] == [port])


def test_owner_restores_its_node_when_others_change_it(start, client, chroot):
    registry = start()
    registry.register('echo', one := make_instance())
    path = f'{chroot}/services/echo/{one.key}'
    client.set(path, b'nonsense')
    eventually(lambda: client.get(path)[0] != b'nonsense')
    assert list(start().get('echo')) == [one]


def test_nodes_that_do_not_describe_instances_are_ignored(start, client, chroot):
    registry = start()
    registry.register('echo', one := make_instance())
    for name, data in {'empty': b'', 'list': b'[]', 'bytes': b'\xff', 'partial': b'{}'}.items():
        client.create(f'{chroot}/services/echo/{name}', data)
    reader = start()
    service = reader.get('echo')
    assert list(service) == [one]
    two = make_instance()
    client.set(f'{chroot}/services/echo/empty', json.dumps(two.serialize()).encode())
    eventually(lambda: set(service) == {one, two})


def test_the_node_of_a_crashed_predecessor_is_replaced(start, client, chroot):
    one = make_instance()
    path = f'{chroot}/services/echo/{one.key}'
    client.ensure_path(f'{chroot}/services/echo')
    client.create(path, b'{}', ephemeral=True)
    stale = client.get(path)[1].ephemeralOwner
    registry = start()
    registry.register('echo', one)
    data, stat = client.get(path)
    assert json.loads(data) == one.serialize()
    assert stat.ephemeralOwner not in (0, stale)


def test_removed_node_is_created_again(start, client, chroot):
    registry = start()
    registry.register('echo', one := make_instance())
    path = f'{chroot}/services/echo/{one.key}'
    for _ in range(2):
        client.delete(path)
        eventually(lambda: client.exists(path))
    registry.unregister('echo', one)
    assert client.exists(path) is None


@pytest.mark.parametrize('level', ['services/echo', 'services', ''])
def test_removed_parent_nodes_are_created_again(start, client, chroot, level):
    registry, reader = start(), start()
    registry.register('echo', one := make_instance(version='1.0'))
    registry.register('echo', two := make_instance(version='2.0'))
    service = reader.get('echo')
    for _ in range(2):
        with contextlib.suppress(NotEmptyError, NoNodeError):  # they come back meanwhile
            client.delete(f'{chroot}/{level}'.rstrip('/'), recursive=True)
        eventually(lambda: set(service) == {one, two} and reader.discover() == {'echo'}, 30)
        eventually(lambda: len(client.get_children(f'{chroot}/services/echo')) == 2, 30)
    registry.register('echo', three := make_instance())
    eventually(lambda: set(service) == {one, two, three}, 30)
    for instance in (one, two, three):
        registry.unregister('echo', instance)
    eventually(lambda: not len(service) and reader.discover() == set(), 30)


def test_node_of_a_service_is_deleted_with_its_last_instance(start, client, chroot):
    first, second = start(), start()
    first.register('echo', one := make_instance())
    second.register('echo', two := make_instance())
    first.unregister('echo', one)
    second.unregister('none', one)
    client.sync(chroot)
    assert client.get_children(f'{chroot}/services') == ['echo']
    second.unregister('echo', two)
    eventually(lambda: client.get_children(f'{chroot}/services') == [])


def test_empty_node_of_a_crashed_service_is_deleted_by_the_next_discovery(start, client, chroot):
    client.ensure_path(f'{chroot}/services/crashed')
    registry = start()
    registry.register('echo', make_instance())
    assert registry.discover() == {'echo'}
    eventually(lambda: client.get_children(f'{chroot}/services') == ['echo'])


def test_instances_that_start_while_the_last_ones_leave_are_registered(start, client, chroot):
    owners, reader = [start() for _ in range(4)], start()
    staying = [make_instance() for _ in owners]

    def come_and_go(owner, last):
        for _ in range(50):
            owner.register('echo', passing := make_instance())
            owner.unregister('echo', passing)
            gevent.sleep(0)
        owner.register('echo', last)

    comings = [gevent.spawn(come_and_go, *pair) for pair in zip(owners, staying, strict=True)]
    while not all(coming.ready() for coming in comings):
        reader.discover()
    gevent.joinall(comings, raise_error=True)
    assert set(reader.get('echo')) == set(staying)
    assert set(client.get_children(f'{chroot}/services/echo')) == {one.key for one in staying}


def test_a_thousand_instances_and_a_thousand_services(start, client, chroot):
    def create(paths):
        for pending in [client.create_async(*one) for one in paths]:
            pending.get()

    instances = [make_instance() for _ in range(1000)]
    client.ensure_path(f'{chroot}/services/echo')
    create(
        (f'{chroot}/services/echo/{one.key}', json.dumps(one.serialize()).encode())
        for one in instances
    )
    create((f'{chroot}/services/empty{n}', b'') for n in range(500))
    create((f'{chroot}/services/service{n}', b'') for n in range(500))
    create((f'{chroot}/services/service{n}/x', b'') for n in range(500))
    registry = start()
    service = registry.get('echo')
    assert set(service) == set(instances)
    assert registry.discover() == {'echo', *(f'service{n}' for n in range(500))}
    registry.register('echo', new := make_instance())
    eventually(lambda: new in set(service))


@pytest.mark.parametrize(
    ('hosts', 'said'),
    [
        ('127.0.0.1:1', 'no answer from ZooKeeper at 127.0.0.1:1 within 0.5 s .*refused'),
        ('host.invalid:2181', 'no answer from ZooKeeper at host.invalid:2181 within 0.5 s '),
    ],
)
def test_unreachable_server_is_an_error_at_start(make, hosts, said):
    registry = make(hosts=hosts, connect_timeout=0.5)
    with pytest.raises(RegistrationFailure, match=said):
        registry.on_start()
    with pytest.raises(RegistrationFailure, match="cannot register 'echo' in ZooKeeper at "):
        registry.register('echo', make_instance())


def test_hosts_may_be_a_list_with_an_unreachable_server(start, zookeeper_server):
    registry = start(hosts=['127.0.0.1:1', zookeeper_server.hosts])
    registry.register('echo', one := make_instance())
    assert list(registry.get('echo')) == [one]


def test_chroot_in_the_hosts_is_used(start, client, zookeeper_server, chroot):
    client.ensure_path(f'{chroot}/prefix')
    hosts = f'{zookeeper_server.hosts}{chroot}/prefix'
    registry, reader = start(hosts=hosts), start(hosts=hosts)
    with pytest.raises(LookupFailure):
        reader.get('echo')
    registry.register('echo', one := make_instance())
    service = reader.get('echo')
    assert client.exists(f'{chroot}/prefix{chroot}/services/echo/{one.key}')
    registry.register('echo', two := make_instance())
    eventually(lambda: set(service) == {one, two})


def test_missing_chroot_in_the_hosts_is_an_error_at_start(make, zookeeper_server):
    registry = make(hosts=f'{zookeeper_server.hosts}/not/there')
    with pytest.raises(RegistrationFailure, match=r"'/not/there', the prefix .* does not exist"):
        registry.on_start()


def test_connected_client_stays_connected_after_the_stop(client, chroot):
    registry = ZookeeperServiceRegistry(client, chroot=chroot)
    registry.on_start()
    registry.register('echo', one := make_instance())
    path = f'{chroot}/services/echo/{one.key}'
    assert client.get(path)[1].ephemeralOwner == client.client_id[0]
    registry.on_stop()
    assert client.connected
    assert client.exists(path) is None


def watches(registry):
    client = registry._session.client
    watchers = *client._child_watchers.values(), *client._data_watchers.values()
    return sum(map(len, watchers))


def test_a_service_is_watched_once_however_often_it_is_looked_up(start):
    start().register('echo', make_instance())
    registry = start()
    service = registry.get('echo')
    before = watches(registry)
    for _ in range(100):
        assert registry.get('echo') is service
        registry.refresh(service, 'rpc')
    assert watches(registry) == before == 2  # its node, and that of its instance


def test_lookups_of_unknown_names_leave_no_watches(start):
    registry = start()
    with pytest.raises(LookupFailure):
        registry.get('first')
    before = watches(registry)
    for number in range(50):
        with pytest.raises(LookupFailure):
            registry.get(f'missing{number}')
    assert watches(registry) == before


def test_stopped_registry_leaves_no_greenlet_and_no_open_file(make):
    def left():
        gc.collect()
        greenlets = [g for g in gc.get_objects() if isinstance(g, gevent.Greenlet) and not g.dead]
        return len(greenlets), len(os.listdir('/proc/self/fd'))

    before = left()
    registry = make()
    registry.on_start()
    registry.register('echo', make_instance())
    registry.get('echo')
    registry.on_stop()
    eventually(lambda: left() == before, 10, lambda: f'{left()} to be {before}')
