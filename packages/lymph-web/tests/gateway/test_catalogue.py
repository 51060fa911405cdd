"""The catalogue of a gateway: which methods exist now, and what they take and return."""

from __future__ import annotations

import datetime
import json
from typing import Any

import gevent
import pytest
from gevent.event import Event

import lymph
from lymph.core.services import ServiceInstance
from lymph.testing.waiting import eventually, let_pass
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.descriptions import read_description
from lymph.web._gateway.merging import METHODS, listed
from lymph.web._gateway.openapi import openapi_document

WAIT = 10.0


class Old(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def total(self, lines: list[int]) -> int:
        """Add up lines."""
        return sum(lines)


class New(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def total(self, lines: list[int], rebate: int = 0) -> int:
        """Add up lines, less a rebate."""
        return sum(lines) - rebate

    @lymph.rpc()
    def order(self) -> None:
        """Order."""


def names(catalogue: Any) -> list[str]:
    return [each.full_name for each in catalogue.methods()]


def test_allowed_methods_have_schemas_and_docs(world):
    world.shop('1.0.0')
    catalogue = world.gateway('shop.total', 'secrets.*').gateway.catalogue
    assert names(catalogue) == ['secrets.read', 'shop.total']
    total = catalogue.find('shop.total')
    assert (total.version, total.idempotent, total.doc) == ('1.0.0', True, 'Add up prices.')
    assert total.parameters['properties'].keys() == {'lines', 'day'}
    assert total.result['type'] == 'number'
    assert catalogue.doc_of('shop') == 'Sells socks.'
    assert catalogue.find('shop.order') is None


def test_nothing_is_asked_until_somebody_wants_to_know(world, monkeypatch):
    world.shop()
    asking = world.gateway('shop.*')
    host, subjects = asking.gateway.container, []
    request = host.request

    def noting(address, subject, *args, **options):
        subjects.append(subject)
        return request(address, subject, *args, **options)

    monkeypatch.setattr(host, 'request', noting)
    asking.post('shop/echo')
    assert subjects == ['shop.echo']
    for _ in range(3):
        asking.gateway.catalogue.methods()
    assert subjects == ['shop.echo', 'lymph.inspect']


def test_instances_that_come_and_go_change_the_catalogue_at_once(world):
    world.start((Old, 'shop', '1.0.0'))
    catalogue = world.gateway('shop.*').gateway.catalogue
    assert names(catalogue) == ['shop.total']
    world.start((New, 'shop', '2.0.0'))
    assert names(catalogue) == ['shop.order', 'shop.total']
    world.containers[2].stop()
    assert names(catalogue) == ['shop.total']
    world.containers[0].stop()
    assert names(catalogue) == []


def test_method_is_described_as_the_oldest_version_that_gets_its_calls_has_it(world):
    world.start((Old, 'shop', '1.0.0'))
    world.start((New, 'shop', '1.1.0'))
    catalogue = world.gateway('shop.*').gateway.catalogue
    total = catalogue.find('shop.total')
    assert (total.version, total.versions) == ('1.0.0', ('1.0.0', '1.1.0'))
    assert catalogue.find('shop.order').versions == ('1.1.0',)
    world.start((New, 'shop', '2.0.0'))
    assert catalogue.find('shop.total').version == '2.0.0'


def test_version_is_described_anew_when_the_instance_that_described_it_is_gone(world):
    world.start((Old, 'shop'))
    catalogue = world.gateway('shop.*').gateway.catalogue
    assert catalogue.find('shop.total').doc == 'Add up lines.'
    world.start((New, 'shop'))
    assert catalogue.find('shop.total').doc == 'Add up lines.'
    world.containers[0].stop()
    assert catalogue.find('shop.total').doc == 'Add up lines, less a rebate.'


@pytest.mark.parametrize('versions', [['1.0.0'], [None, *(f'1.{n}.0' for n in range(200))]])
def test_few_of_thousands_of_instances_are_asked_and_kept(world, monkeypatch, versions):
    world.start((Old, 'shop', versions[0]))
    endpoint = world.containers[0].endpoint
    for number in range(2000):
        version = versions[number % len(versions)]
        instance = ServiceInstance(f'other{number}', f'{endpoint}-{number}', version)
        world.hub.add('rpc', 'shop', instance, owner=None)
    gateway, asked = world.gateway('shop.*').gateway, []

    def request(address, *args, **options):
        asked.append(address)
        return reply if address == endpoint else described()

    reply = gateway.container.request(endpoint, 'lymph.inspect')
    monkeypatch.setattr(gateway.container, 'request', request)
    assert names(gateway.catalogue) == ['shop.total']
    assert len(asked) == len(gateway.catalogue._known) == min(len(versions), 50)
    assert asked[-1] == endpoint


def test_service_that_does_not_describe_itself_can_be_called(world, monkeypatch):
    world.shop()
    asking = world.gateway('shop.echo')
    host = asking.gateway.container
    request = host.request

    def refusing(address, subject, *args, **options):
        if subject == 'lymph.inspect':
            raise lymph.Refused('no', 'unknown_method')
        return request(address, subject, *args, **options)

    monkeypatch.setattr(host, 'request', refusing)
    assert names(asking.gateway.catalogue) == []
    assert asking.post('shop/echo', {'value': 1}).json == 1


def test_slow_instance_delays_nobody_for_long_who_knows_something_already(world, monkeypatch):
    world.start((Old, 'shop', '1.0.0'))
    gateway = world.gateway('shop.*').gateway
    assert names(gateway.catalogue) == ['shop.total']
    request, go_on = gateway.container.request, Event()

    def slow(*args, **options):
        go_on.wait(10)
        return request(*args, **options)

    monkeypatch.setattr(gateway.container, 'request', slow)
    world.start((New, 'shop', '2.0.0'))
    assert [each.version for each in gateway.catalogue.methods(timeout=0.01)] == ['1.0.0']
    go_on.set()
    eventually(lambda: names(gateway.catalogue) == ['shop.order', 'shop.total'])


def test_stop_while_instances_are_asked_is_no_error(world, monkeypatch):
    world.shop()
    gateway = world.gateway('shop.*', 'secrets.*').gateway
    asked, errors = Event(), []

    def slow(*args, **options):
        asked.set()
        Event().wait(WAIT)

    hub = gevent.get_hub()
    monkeypatch.setattr(hub, 'print_exception', lambda *error: errors.append(error))
    monkeypatch.setattr(gateway.container, 'request', slow)
    looking = gevent.spawn(gateway.catalogue.methods, WAIT)
    assert asked.wait(WAIT)
    gateway.container.stop()
    assert looking.get(timeout=WAIT) == ()
    let_pass(0.01, 'nobody waits for the greenlets that have asked')
    assert errors == []


def test_everything_allowed_means_all_services_without_those_of_lymph(world):
    world.shop()
    world.start((Old, 'with space'), (Old, 'old'))
    catalogue = world.gateway('*.*').gateway.catalogue
    assert {each.interface for each in catalogue.methods()} == {'shop', 'secrets', 'old'}


@pytest.mark.parametrize(
    'reply',
    [
        None,
        5,
        {},
        {'methods': 5},
        {'methods': [5, {}, {'name': 5}, {'name': 'other.a'}, {'name': 'shop.a.b'}]},
        {'methods': [{'name': 'shop.a', 'version': '1.0.0'}]},
    ],
)
def test_what_an_instance_says_is_not_trusted(reply):
    assert read_description(reply, 'shop', None).methods == {}


def test_facts_of_other_forms_are_left_out():
    facts = {
        'name': 'shop.a',
        'help': 5,
        'raises': 'x',
        'idempotent': 'yes',
        'parameters_schema': True,
        'result_schema': [],
    }
    method = read_description({'methods': [facts]}, 'shop', None).methods['a']
    assert (method.doc, method.raises, method.idempotent) == ('', (), False)
    assert (method.parameters, method.result) == ({}, {})


@pytest.mark.parametrize(
    'schema', [{'default': float('nan')}, {'enum': [b'x', {1: datetime.date.min}]}, {1: 2}]
)
def test_schemas_of_other_types_than_those_of_json_do_not_spoil_the_document(schema):
    facts = {'name': 'shop.a', 'result_schema': schema, 'parameters_schema': schema}
    methods = read_description({'methods': [facts]}, 'shop', None).methods
    json.dumps(openapi_document('api', '1', '/', methods.values(), {}), allow_nan=False)


def described(*methods: Any) -> dict[str, Any]:
    return {'methods': [{'name': f'shop.{name}', **facts} for name, facts in methods]}


def test_schemas_that_are_too_large_are_left_out():
    large = {'enum': list(range(50_000))}
    reply = described(('big', {'result_schema': large}), ('small', {'result_schema': {'a': 1}}))
    found = list(
        listed({'shop': {None: read_description(reply, 'shop', None)}}, Allowed.of(['*.*']))
    )
    assert [(each.name, each.result) for each in found] == [('big', {}), ('small', {'a': 1})]
    assert found[0].schema_problem == 'its schemas are too large'


def test_methods_up_to_the_bound_stay_the_same_objects_until_one_changes(world, monkeypatch):
    for module in ('catalogue', 'merging'):
        monkeypatch.setattr(f'lymph.web._gateway.{module}.METHODS', 1)
    world.start((New, 'shop', '1.0.0'))
    catalogue = world.gateway('shop.*').gateway.catalogue
    known = catalogue.methods()
    assert [each.full_name for each in known] == ['shop.order']
    world.start((New, 'shop', '1.0.0'))
    assert catalogue.methods() is known


def test_number_of_methods_is_bounded():
    reply = described(*((f'm{number}', {}) for number in range(METHODS + 100)))
    facts = {'shop': {None: read_description(reply, 'shop', None)}}
    assert len(list(listed(facts, Allowed.of(['*.*'])))) == METHODS + 1
