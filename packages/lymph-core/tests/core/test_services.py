from __future__ import annotations

import pytest

from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import parse_version
from lymph.exceptions import NotConnected


def make(identity='a', endpoint='tcp://127.0.0.1:1', **facts):
    return ServiceInstance(identity, endpoint, **facts)


def endpoints(service, version=None):
    wanted = None if version is None else parse_version(version)
    return sorted(instance.endpoint for instance in service.match(wanted))


@pytest.fixture
def service():
    return Service('echo')


@pytest.fixture
def heard(service):
    heard = []
    service.observe(lambda change, instance: heard.append((change, instance.key)))
    return heard


def test_a_service_counts_and_yields_its_instances(service):
    service.add(make('a'))
    service.add(make('b'))
    assert len(service) == 2
    assert {instance.identity for instance in service} == {'a', 'b'}


def test_a_service_without_instances_is_still_a_service(service):
    assert service
    assert list(service) == []


def test_versions_in_one_process_are_separate_instances(service):
    service.add(make('a', version='1.0'))
    service.add(make('a', version='2.0'))
    assert len(service) == 2
    assert make('a', version='1.0').key == 'a@1.0'
    assert make('a').key == 'a'


def test_instances_may_change_while_they_are_iterated(service):
    service.update(make(name) for name in 'abc')
    for instance in service:
        service.remove(instance.key)
    assert len(service) == 0


@pytest.mark.parametrize(
    ('wanted', 'found'),
    [
        (None, ['bad', 'none', 'two']),
        ('1', ['new', 'old']),
        ('1.2', ['new', 'old']),
        ('1.2.1', ['new']),
        ('1.6', []),
        ('2', ['two']),
        ('3', []),
    ],
)
def test_requests_for_a_version_match_those_that_serve_it(service, wanted, found):
    versions = {'none': None, 'bad': 'x.y', 'old': '1.2', 'new': '1.5.0', 'two': '2.0.3'}
    service.update(make(name, name, version=version) for name, version in versions.items())
    assert endpoints(service, wanted) == found
    assert endpoints(service, wanted) == found  # now remembered


@pytest.mark.parametrize(
    ('versions', 'found'),
    [
        ([None, None], [0, 1]),
        ([None, 'x.y', '0.3'], [0, 1, 2]),
        (['1.0', '1.9.9', None], [0, 1, 2]),
        (['1.0', '2.0', '2.1', '1.5'], [1, 2]),
        (['9', '10'], [1]),
        (['1.0', 'x.y', '2.0', None], [1, 2, 3]),
    ],
)
def test_without_a_version_those_of_the_newest_major_version_match(service, versions, found):
    service.update(make(f'{n}', f'{n}', version=version) for n, version in enumerate(versions))
    assert endpoints(service) == [f'{n}' for n in found]


def test_versions_that_callers_invent_are_not_all_remembered(service):
    service.add(make('a', 'one', version='1.5'))
    for number in range(2000):
        assert endpoints(service, f'1.0.{number}') == ['one']
    assert len(service._matching) < 300


def test_a_new_major_version_takes_over_while_it_is_there(service):
    service.add(make('a', 'old', version='1.0'))
    assert endpoints(service) == ['old']
    service.add(make('b', 'new', version='2.0'))
    assert endpoints(service) == ['new']
    service.remove('b@2.0')
    assert endpoints(service) == ['old']


def test_matching_instances_are_updated_with_every_change(service):
    assert endpoints(service, '1') == []
    service.add(make('a', 'one', version='1.0'))
    assert endpoints(service, '1') == ['one']
    service.add(make('a', 'moved', version='1.0'))
    assert endpoints(service, '1') == ['moved']
    service.remove('a@1.0')
    assert endpoints(service, '1') == []
    assert endpoints(service) == []


def test_observers_are_called_once_for_each_change(service, heard):
    service.add(make('a'))
    service.add(make('a'))  # the same again is no change
    service.add(make('a', pid=7))
    service.remove('a')
    service.remove('a')
    assert heard == [('added', 'a'), ('updated', 'a'), ('removed', 'a')]


def test_update_reports_removed_and_added_instances(service, heard):
    service.update([make('a'), make('b'), make('c')])
    del heard[:]
    service.update([make('b'), make('c', pid=7), make('d')])
    assert sorted(heard) == [('added', 'd'), ('removed', 'a'), ('updated', 'c')]


def test_removed_observer_is_not_called(service):
    heard = []
    leave = service.observe(lambda change, instance: heard.append(change))
    service.add(make('a'))
    leave()
    leave()
    service.remove('a')
    assert heard == ['added']


def test_observer_that_fails_does_not_affect_others(service):
    def fails(change, instance):
        raise RuntimeError('observer failed')

    service.observe(fails)
    heard = []
    service.observe(lambda change, instance: heard.append(change))
    service.add(make('a'))
    assert heard == ['added']
    assert len(service) == 1


def test_another_connector_is_not_a_change(service, heard):
    service.add(make('a'))
    service.add(make('a', connector=lambda endpoint: None))
    assert heard == [('added', 'a')]


def test_instance_connects_through_the_container_that_looked_it_up(service):
    service.add(make('a', 'tcp://there:1', connector=lambda endpoint: ('link to', endpoint)))
    assert service.connect() == ('link to', 'tcp://there:1')


def test_connecting_without_instances_is_an_error(service):
    with pytest.raises(NotConnected, match='echo has no instances'):
        service.connect()
    with pytest.raises(NotConnected, match='was not looked up through a container'):
        make().connect()


def test_only_known_facts_are_registered():
    instance = make('a', 'tcp://x:1', connector=lambda endpoint: None)
    assert instance.serialize() == {'identity': 'a', 'endpoint': 'tcp://x:1'}


def test_facts_of_a_newer_release_are_ignored():
    data = {'identity': 'a', 'endpoint': 'tcp://x:1', 'colour': 'blue', 'connector': 'evil'}
    instance = ServiceInstance.deserialize(data)
    assert instance == make('a', 'tcp://x:1')
    assert instance.connector is None


def test_invalid_instance_is_rejected():
    with pytest.raises(ValueError, match='expected endpoint as text, found None'):
        ServiceInstance.deserialize({'identity': 'a'})


@pytest.mark.parametrize(
    ('facts', 'url'),
    [
        ({'ip': '10.0.0.1', 'http_port': 80}, 'http://10.0.0.1:80'),
        ({'ip': '::1', 'http_port': 443, 'http_scheme': 'https'}, 'https://[::1]:443'),
        ({'http_port': 80}, None),
        ({'ip': '10.0.0.1'}, None),
    ],
)
def test_instance_tells_the_url_at_which_it_answers_http(facts, url):
    assert make(**facts).http_url == url
