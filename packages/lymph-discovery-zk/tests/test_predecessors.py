"""An endpoint is one process: registering it removes the nodes of a crashed predecessor."""

from __future__ import annotations

import json

import gevent
import pytest

from lymph.testing.contracts.registries import make_instance
from lymph.testing.waiting import eventually

ENDPOINT = 'tcp://10.0.0.1:4123'


@pytest.fixture
def leave(client, chroot):
    """Creates a node of a crashed process whose session has not ended yet."""

    def leave(instance, name='echo', namespace='services', data=None, **options):
        data = json.dumps(instance.serialize()).encode() if data is None else data
        path = f'{chroot}/{namespace}/{name}'
        client.ensure_path(path)
        return client.create(f'{path}/{instance.key}', data, **{'ephemeral': True, **options})

    return leave


def test_nodes_of_a_predecessor_in_the_same_service_are_removed(start, leave):
    for version in (None, '1.0.0', '2.0.0'):
        leave(make_instance(identity='before', endpoint=ENDPOINT, version=version))
    leave(other := make_instance(endpoint='tcp://10.0.0.2:4123'))
    reader = start()
    service = reader.get('echo')
    assert len(service) == 4
    start().register('echo', one := make_instance(endpoint=ENDPOINT))
    eventually(lambda: set(service) == {one, other})
    assert set(start().get('echo')) == {one, other}


def test_nodes_of_a_predecessor_in_other_services_are_removed(start, leave, client, chroot):
    before = make_instance(identity='before', endpoint=ENDPOINT)
    leave(before)
    leave(before, 'mail')
    leave(before, 'site', 'http')
    leave(make_instance(identity='before-not', endpoint=ENDPOINT), 'mail')
    registry = start()
    registry.register('echo', make_instance(endpoint=ENDPOINT))
    assert registry.discover() == {'echo', 'mail'}
    assert client.get_children(f'{chroot}/services/mail') == ['before-not']
    assert registry.discover('http') == set()


def test_nodes_of_this_process_stay(start, client, chroot):
    registry = start()
    mine = [make_instance(identity='me', endpoint=ENDPOINT, version=v) for v in ('1.0', '2.0')]
    for instance in mine:
        registry.register('echo', instance)
    registry.register('mail', mine[0])
    registry.register('echo', mine[0], 'http')
    assert set(registry.get('echo')) == set(mine)
    assert registry.discover() == {'echo', 'mail'}
    assert registry.discover('http') == {'echo'}


def test_containers_that_share_a_client_do_not_remove_each_other(start, client, leave):
    registry = start()
    registry.register('echo', one := make_instance(endpoint=ENDPOINT))
    registry.register('echo', two := make_instance(endpoint=ENDPOINT))
    assert set(registry.get('echo')) == {one, two}


@pytest.mark.parametrize(
    'data', [b'', b'{}', b'[' * 10_000, b'{"endpoint": "tcp://10.0.0.1:4123"}', b'\xff']
)
def test_nodes_that_are_not_instances_are_left_alone(start, leave, client, data):
    path = leave(make_instance(), data=data)
    start().register('echo', make_instance(endpoint=ENDPOINT))
    assert client.get(path)[0] == data


def test_predecessor_node_without_a_session_is_removed(start, leave, client):
    path = leave(make_instance(endpoint=ENDPOINT), ephemeral=False)
    start().register('echo', make_instance(endpoint=ENDPOINT))
    assert client.exists(path) is None


def test_live_process_that_was_mistaken_for_a_predecessor_registers_again_and_stays(
    start, client, chroot
):
    first, second = start(), start()
    first.register('echo', one := make_instance(endpoint=ENDPOINT))
    service = start().get('echo')
    changes = []
    service.observe(lambda change, instance: changes.append((change, instance.key)))
    second.register('echo', two := make_instance(endpoint=ENDPOINT))
    eventually(lambda: changes.count(('removed', one.key)) == changes.count(('added', one.key)))
    eventually(lambda: set(service) == {one, two})
    # A third that comes is the end of it: the first two do not take turns.
    first.register('mail', one)
    assert set(start().get('echo')) == {one, two}
    assert ('removed', two.key) not in changes


def test_processes_that_start_simultaneously_with_one_endpoint_are_all_registered(start):
    registries = [start() for _ in range(4)]
    instances = [make_instance(endpoint=ENDPOINT) for _ in registries]
    gevent.joinall(
        [
            gevent.spawn(registry.register, 'echo', instance)
            for registry, instance in zip(registries, instances, strict=True)
        ],
        raise_error=True,
    )
    service = start().get('echo')
    eventually(lambda: set(service) == set(instances))


def test_group_member_is_not_taken_for_a_predecessor(start, leave):
    registry = start()
    member = make_instance(identity='a', endpoint='serial://a')
    registry.register('group', member, 'serial')
    start().register('group', other := make_instance(identity='b', endpoint='serial://a'), 'serial')
    assert set(registry.get('group', 'serial')) == {member, other}
