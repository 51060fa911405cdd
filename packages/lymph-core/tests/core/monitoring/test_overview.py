from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

import lymph
from lymph.core.monitoring.overview import Overview
from lymph.core.services import ServiceInstance
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import LookupFailure
from lymph.serializers.json import plain
from lymph.testing.waiting import eventually


class Shop(lymph.Interface):
    """Answers, fails, waits and handles events."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gate = Event()

    @lymph.rpc()
    def price(self, name='tea'):
        return len(name)

    @lymph.rpc()
    def broken(self):
        raise KeyError('tea')

    @lymph.rpc()
    def wait(self):
        self.gate.wait(30)

    @lymph.event('paid')
    def on_paid(self, event):
        pass


class Mail(lymph.Interface):
    @lymph.rpc()
    def send(self):
        return 'sent'


@pytest.fixture
def client(world):
    return world.container()


def test_rates_are_those_between_two_polls(world, client):
    world.container(Shop)
    with Overview(client) as overview:
        first = overview.poll().service('shop')
        for _ in range(9):
            client.request('shop', 'shop.price')
        with pytest.raises(lymph.RpcError):
            client.request('shop', 'shop.broken')
        client.emit_event('paid')
        eventually(lambda: overview.poll().service('shop').events.total == 1)
        shop = overview.poll().service('shop')
    assert first.calls.rate is None
    assert first.calls.total == 0
    assert shop.calls.total == 10
    assert [(each.name, each.load.total) for each in shop.methods] == [
        ('shop.broken', 1),
        ('shop.price', 9),
        ('shop.wait', 0),
    ]
    assert [each.name for each in shop.handlers] == ['shop.on_paid']
    assert shop.up == len(shop.instances) == 1


def test_figures_are_those_of_the_work_between_the_polls_alone(world, client):
    world.container(Shop)
    with Overview(client) as overview:
        client.request('shop', 'shop.price')
        overview.poll()
        for _ in range(3):
            client.request('shop', 'shop.price')
        with pytest.raises(lymph.RpcError):
            client.request('shop', 'shop.broken')
        snapshot = overview.poll()
        quiet = overview.poll().service('shop').calls
    calls = snapshot.service('shop').calls
    assert calls.error_share == 0.25
    assert calls.rate == pytest.approx(4 * calls.errors)
    assert calls.mean > 0
    assert (quiet.rate, quiet.errors, quiet.error_share, quiet.mean) == (0, 0, None, None)
    assert plain(snapshot)['services'][0]['calls']['error_share'] == 0.25


def test_instances_and_services_of_one_process_are_told_apart(world, client):
    world.container(Shop, Mail)
    world.container(Mail)
    with Overview(client) as overview:
        overview.poll()
        client.request('shop', 'shop.price')
        for _ in range(4):
            client.request('mail', 'mail.send')
        snapshot = overview.poll()
    mail, shop = snapshot.services
    assert (mail.name, mail.calls.total, len(mail.instances)) == ('mail', 4, 2)
    assert (shop.name, shop.calls.total, len(shop.instances)) == ('shop', 1, 1)
    assert sum(each.calls.total for each in mail.instances) == 4
    assert mail.calls.rate == pytest.approx(sum(each.calls.rate for each in mail.instances))


def test_a_running_call_is_counted_as_one(world, client):
    shop = world.container(Shop)
    with Overview(client) as overview:
        waiting = gevent.spawn(client.request, 'shop', 'shop.wait', timeout=30)
        eventually(lambda: overview.poll().service('shop').calls.running == 1)
        shop.interfaces[0].gate.set()
        waiting.get()
        assert overview.poll().service('shop').calls.running == 0


def test_only_named_services_are_asked(world, client):
    world.container(Shop)
    world.container(Mail)
    with Overview(client, ['mail']) as overview:
        assert [each.name for each in overview.poll().services] == ['mail']


def test_an_instance_that_was_started_again_has_no_rates_at_first(world, client):
    first = world.container(Mail)
    with Overview(client) as overview:
        overview.poll()
        overview.poll()
        first.stop()
        world.container(Mail)
        mail = overview.poll().service('mail')
        assert mail.calls.rate is None
        assert mail.up == 1
        assert overview.poll().service('mail').calls.rate == 0


def test_instances_that_do_not_answer_delay_no_other_one(world):
    mail = world.container(Mail)
    silent = [ServiceInstance(f'{n:016x}', f'memory://nobody-{n}') for n in range(300)]
    registry = StaticServiceRegistry(
        services={
            'mail': [ServiceInstance(mail.identity, mail.endpoint)],
            'away': silent,
        }
    )
    client = world.container(registry=registry)
    with Overview(client, timeout=5) as overview:
        overview.poll()
        snapshot = overview.poll()
        assert snapshot.service('mail').up == 1
        assert snapshot.service('mail').calls.rate == 0
        away = snapshot.service('away').instances
        assert {each.status for each in away} == {'silent'}
        assert all(each.since <= snapshot.at and each.problem for each in away)


class Blocking:
    """A container whose calls to some endpoints end late, `slower` seconds after their timeout."""

    slower = 0.0

    def __init__(self, container, deaf=()):
        self.container = container
        self.deaf = set(deaf)
        self.asking = 0

    @property
    def registry(self):
        return self.container.registry

    @property
    def events(self):
        return self.container.events

    def request(self, address, subject, *, timeout=None, retries=None):
        if address in self.deaf:
            self.asking += 1
            try:
                gevent.sleep(timeout + self.slower)
            finally:
                self.asking -= 1
            raise lymph.Timeout(f'{address}: no reply')
        return self.container.request(address, subject, timeout=timeout, retries=retries)


def test_a_stopped_instance_is_waited_for_once(world, client):
    world.container(Mail)
    shop = world.container(Shop)
    held = Blocking(client, [shop.endpoint])
    with Overview(held, timeout=0.3) as overview:
        overview.poll()
        second = overview.poll()
        third = overview.poll()
        assert second.service('mail').up == 1
        assert second.service('shop').instances[0].status in ('silent', 'not asked')
        # neither waited for the 0.3 s that it takes to give up
        assert third.seconds < 0.3
        held.deaf.clear()
        eventually(lambda: overview.poll().service('shop').up == 1)
        state = overview.poll().service('shop').instances[0]
    assert (state.since, state.problem, state.identity) == (None, '', shop.identity)


def test_a_silent_instance_says_since_when_and_has_no_figures(world, client):
    shop = world.container(Shop)
    held = Blocking(client)
    with Overview(held, timeout=0.1) as overview:
        overview.poll()
        answered = overview.poll().service('shop').instances[0].answered
        held.deaf.add(shop.endpoint)
        state = eventually(
            lambda: next(
                (
                    each
                    for each in overview.poll(everyone=True).service('shop').instances
                    if each.status == 'silent'
                ),
                None,
            )
        )
        later = overview.poll(everyone=True).service('shop').instances[0]
    assert state.since >= answered
    assert state.calls.rate is None
    assert state.answered == answered
    assert later.since == state.since


class Lost(StaticServiceRegistry):
    """Stops to answer, or answers late."""

    gone = False
    gate = None

    def discover(self, namespace='rpc'):
        if self.gate is not None:
            self.gate.wait()
        if self.gone:
            raise LookupFailure('the registry is away')
        return super().discover(namespace)


def test_without_the_registry_the_instances_known_last_are_asked(world):
    registry = Lost(hub=world.registry_hub)
    client = world.container(registry=registry)
    world.container(Mail)
    with Overview(client) as overview:
        overview.poll()
        registry.gone = True
        snapshot = overview.poll()
        assert snapshot.problems == {'registry': 'the registry is away'}
        assert snapshot.registry.connected is False
        assert snapshot.service('mail').up == 1
        registry.gone = False
        assert overview.poll().problems == {}


def test_a_registry_that_has_not_answered_yet_is_a_problem(world):
    registry = Lost(hub=world.registry_hub)
    world.container(Mail)
    with Overview(world.container(registry=registry)) as overview:
        registry.gate = Event()
        assert overview.poll().problems == {'registry': 'the registry has not answered yet'}
        registry.gate.set()
        assert eventually(lambda: overview.poll().service('mail')).up == 1


def test_a_backend_whose_state_fails_has_none(world):
    class Broken(StaticServiceRegistry):
        def connection_state(self):
            raise ValueError('its state is broken')

    world.container(Mail)
    with Overview(world.container(registry=Broken(hub=world.registry_hub))) as overview:
        snapshot = overview.poll()
    assert snapshot.registry.connected is None
    assert snapshot.service('mail').up == 1


def test_of_too_many_instances_some_are_left_out(world, client):
    for _ in range(3):
        world.container(Mail)
    with Overview(client, most=2) as overview:
        snapshot = overview.poll()
    assert snapshot.left_out == 1
    statuses = sorted(each.status for each in snapshot.service('mail').instances)
    assert statuses == ['not asked', 'up', 'up']


def test_queues_have_their_counts(world, client):
    world.container(Shop)
    with Overview(client) as overview:
        overview.poll()
        queues = overview.poll().queues
    assert [(each.queue, each.waiting, each.consumers) for each in queues] == [
        ('shop.on_paid', 0, 1)
    ]


def test_a_draining_instance_says_so(world, client):
    shop = world.container(Shop, drain_timeout=5)
    with Overview(client) as overview:
        waiting = gevent.spawn(client.request, 'shop', 'shop.wait', timeout=30)
        eventually(lambda: overview.poll().service('shop').calls.running == 1)
        registry = StaticServiceRegistry(
            services={'shop': [ServiceInstance(shop.identity, shop.endpoint)]}
        )
        with Overview(world.container(registry=registry)) as fixed:
            draining = gevent.spawn(shop.drain)
            eventually(lambda: fixed.poll().service('shop').instances[0].status == 'draining')
            shop.interfaces[0].gate.set()
            draining.get()
        waiting.get()


def test_another_process_at_the_endpoint_is_foreign(world, client):
    mail = world.container(Mail)
    registry = StaticServiceRegistry(
        services={'mail': [ServiceInstance('0' * 16, mail.endpoint, pid=1)]}
    )
    with Overview(world.container(registry=registry)) as overview:
        (found,) = overview.poll().service('mail').instances
    assert found.status == 'foreign'
    assert mail.identity in found.problem


def test_nothing_asks_any_more_once_it_is_closed(world, client):
    mail = world.container(Mail)
    held = Blocking(client, [mail.endpoint])
    held.slower = 60
    overview = Overview(held, timeout=0.05)
    overview.poll()
    assert held.asking == 1
    overview.close()
    assert held.asking == 0
    overview.close()


class Preparing(lymph.Interface):
    """Takes until its gate is opened to start."""

    gate = Event()

    def on_start(self):
        self.gate.wait(30)


def test_an_instance_that_starts_says_so(world, client):
    starting = world.container(Preparing, start=False)
    begun = gevent.spawn(starting.start)
    eventually(lambda: starting.endpoint)
    registry = StaticServiceRegistry(
        services={'preparing': [ServiceInstance(starting.identity, starting.endpoint)]}
    )
    with Overview(world.container(registry=registry)) as overview:
        eventually(lambda: overview.poll().services[0].instances[0].status == 'starting')
        Preparing.gate.set()
        begun.get()
        assert overview.poll().services[0].instances[0].status == 'up'


def test_figures_of_calls_events_and_the_process_are_known(world, client):
    world.container(Shop, block_threshold=0.02)

    def known():
        client.request('shop', 'shop.price')
        client.emit_event('paid')
        (shop,) = overview.poll().service('shop').instances
        assert None not in (shop.calls.p99, shop.events.p99, shop.loop_delay, shop.cpu)
        assert 0 < shop.calls.p50 <= shop.calls.p99
        assert 0 < shop.events.p50 <= shop.events.p99
        assert shop.loop_delay >= 0
        assert shop.cpu >= 0
        assert shop.memory > 2**20
        assert shop.descriptors > 3
        assert shop.threads >= 1
        assert shop.greenlets >= 1
        return True

    with Overview(client) as overview:
        eventually(known)
