from __future__ import annotations

import pytest

from lymph.core._overview.answers import Heard, read_said
from lymph.core._overview.finding import by_process
from lymph.core._overview.states import service_state
from lymph.core.services import ServiceInstance
from lymph.serializers.json import plain

ENDPOINT = 'tcp://127.0.0.1:4000'


def instance(identity='a' * 16, endpoint=ENDPOINT, **facts):
    return ServiceInstance(identity, endpoint, **{'pid': 7, **facts})


def said(*samples, at=1.0, identity='a' * 16, interfaces=('shop',), **status):
    facts = {'identity': identity, 'interfaces': [{'name': name} for name in interfaces], **status}
    return read_said(facts, list(samples), at, 1000.0 + at)


def state(heard, name='shop', *instances):
    directory = by_process((name, 'rpc', each) for each in instances or (instance(),))
    return service_state(name, directory[name], {ENDPOINT: heard})


@pytest.mark.parametrize(
    ('heard', 'status'),
    [
        (Heard(), 'not asked'),
        (Heard(last=said()), 'up'),
        (Heard(last=said(starting=True)), 'starting'),
        (Heard(last=said(draining=True)), 'draining'),
        (Heard(last=said(draining=1)), 'up'),
        (Heard(last=said(identity='b' * 16)), 'foreign'),
        (Heard(last=said(identity=None)), 'up'),
        (Heard(since=5.0, problem='no reply'), 'silent'),
        (Heard(last=said(), since=5.0, problem='no reply'), 'silent'),
    ],
)
def test_status_of_an_instance(heard, status):
    (found,) = state(heard).instances
    assert found.status == status


def test_a_process_that_the_registry_does_not_know_may_have_any_identity():
    fixed = instance(pid=None)
    (found,) = state(Heard(last=said(identity='b' * 16)), 'shop', fixed).instances
    assert found.status == 'up'


def test_versions_of_one_process_are_one_instance():
    versions = [instance(version='1.0'), instance(version='2.0', http_port=80, ip='127.0.0.1')]
    found = state(Heard(last=said()), 'shop', *versions)
    assert found.versions == ('1.0', '2.0')
    (only,) = found.instances
    assert only.versions == ('1.0', '2.0')
    assert only.http_url == 'http://127.0.0.1:80'


def test_figures_of_the_process():
    before = said(
        ['process.cpu', 1.0, {}],
        ['loop.delay.bucket', 0, {'le': '0.01'}],
        ['loop.delay.bucket', 0, {'le': '+Inf'}],
    )
    after = said(
        ['process.cpu', 2.0, {}],
        ['process.memory', 1000, {}],
        ['loop.delay.bucket', 100, {'le': '0.01'}],
        ['loop.delay.bucket', 100, {'le': '+Inf'}],
        ['registry.connected', 1, {}],
        ['broker.connected', 0, {}],
        at=5.0,
        version='0.16.0',
        uptime=77.0,
    )
    found = state(Heard(before, after))
    (only,) = found.instances
    assert (only.cpu, only.memory, only.registry, only.broker) == (0.25, 1000, True, False)
    assert 0 < only.loop_delay <= 0.01
    assert (only.lymph, only.uptime) == ('0.16.0', 77.0)
    assert (found.cpu, found.memory, found.loop_delay) == (0.25, 1000, only.loop_delay)


def test_an_older_lymph_has_fewer_figures():
    (only,) = state(Heard(said(), said(at=2.0))).instances
    assert (only.memory, only.cpu, only.loop_delay, only.registry) == (None,) * 4
    assert only.calls.p99 is None


def test_a_silent_instance_has_no_figures():
    before = said(['rpc.handled', 1, {'method': 'shop.price'}])
    after = said(['rpc.handled', 5, {'method': 'shop.price'}], at=2.0)
    found = state(Heard(before, after, since=3.0, problem='no reply'))
    assert found.calls.rate is None
    assert found.instances[0].calls.rate is None
    assert found.up == 0


@pytest.mark.parametrize(
    ('queue', 'interfaces', 'owner'),
    [
        ('shop.on_paid', ['shop'], 'shop'),
        ('shop.eu.paid', ['shop', 'shop.eu'], 'shop.eu'),
        ('shop.us.paid', ['shop', 'shop.eu'], 'shop'),
        ('elsewhere', ['shop'], 'shop'),
        ('elsewhere', ['shop', 'shop.eu'], None),
        ('shopping.paid', ['shop', 'mail'], None),
    ],
)
def test_owner_of_a_queue(queue, interfaces, owner):
    last = said(['events.handled', 4, {'queue': queue}], interfaces=interfaces)
    totals = {name: state(Heard(last=last), name).events.total for name in interfaces}
    assert totals == {name: 4 if name == owner else None for name in interfaces}


def test_a_worker_has_the_events_of_its_interface():
    last = said(['events.handled', 4, {'queue': 'shop.send'}], worker=True)
    found = state(Heard(last=last), 'shop.worker')
    assert found.events.total == 4


def test_the_largest_numbers_can_be_added_up():
    largest = [['rpc.handled', 1e100, {'method': f'shop.m{n}'}] for n in range(100)]
    found = state(Heard(said(), said(*largest, at=1.001)))
    assert found.calls.total == found.instances[0].calls.total > 10**100
    assert plain(found)


def test_the_built_in_methods_are_no_load_of_a_service():
    last = said(['rpc.handled', 50, {'method': 'lymph.status'}])
    assert state(Heard(last=last)).calls.total is None


@pytest.mark.parametrize(
    'status',
    [None, 'up', [], {'interfaces': 5}, {'interfaces': [None, {}]}, {'uptime': 10**400}],
)
@pytest.mark.parametrize('metrics', [None, {}, [[]], 'x'])
def test_answers_of_another_form_say_nothing(status, metrics):
    (only,) = state(Heard(last=read_said(status, metrics, 1.0, 1.0))).instances
    assert (only.status, only.uptime, only.lymph) == ('up', None, None)
