from __future__ import annotations

import time
from importlib.metadata import version

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core.components import Component
from lymph.core.greenlets import Greenlet, kill_in_time
from lymph.core.plugins import Plugin
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import (
    ConfigurationError,
    ConnectionLost,
    Failed,
    LookupFailure,
    LymphError,
    Refused,
    RegistrationFailure,
)
from lymph.testing.waiting import eventually


class Secretive(lymph.Interface):
    """Fails with an error whose text is secret."""

    @lymph.rpc()
    def fail(self, number):
        raise KeyError('pa55word')


class Noted(lymph.Interface):
    """Records in a journal what happens to it."""

    journal: list

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.journal = []
        self.gate = Event()
        self.begun = Queue()

    def apply_config(self, config):
        self.journal.append(f'config {dict(config)}')

    def on_start(self):
        self.journal.append('start')

    def on_stop(self):
        self.journal.append('stop')

    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc()
    def wait(self):
        self.begun.put(True)
        try:
            self.gate.wait(30)
        except gevent.GreenletExit:
            self.journal.append('cut')
            raise
        self.journal.append('waited')
        return 'waited'

    @lymph.event('something', retry=0)
    def on_something(self, event):
        self.begun.put(True)
        self.gate.wait(30)
        self.journal.append('handled')


class NotedPart(Component):
    def __init__(self, journal, name='part', fails=False):
        super().__init__()
        self.journal = journal
        self.name = name
        self.fails = fails

    def on_start(self):
        self.journal.append(f'start {self.name}')
        if self.fails:
            raise RuntimeError(f'{self.name} does not start')

    def on_stop(self):
        self.journal.append(f'stop {self.name}')


def test_a_container_has_an_identity_and_an_endpoint_when_it_is_started(world):
    container, other = world.container(start=False), world.container(start=False)
    assert container.identity != other.identity
    assert container.endpoint is None
    container.start()
    assert container.endpoint in world.network.listeners


def test_an_interface_is_given_its_name_version_and_configuration(world):
    container = world.container(start=False)
    interface = container.install_interface(Noted, 'noted', '1.2', {'a': 1})
    assert (interface.name, interface.version) == ('noted', '1.2')
    assert interface.journal == ["config {'a': 1}"]
    assert container.interfaces == [interface]
    assert container.install_interface(Noted).name == 'noted'


def test_interface_of_the_same_name_and_version_is_rejected(world):
    container = world.container((Noted, 'noted', '1.2'), (Noted, 'noted'), start=False)
    with pytest.raises(ConfigurationError, match='the interface noted is installed twice'):
        container.install_interface(Noted, 'noted')
    with pytest.raises(ConfigurationError, match=r'the interface noted@1\.2\.0 is installed twice'):
        container.install_interface(Noted, 'noted', '1.2.0')
    assert len(container.interfaces) == 2


def test_malformed_version_is_rejected(world):
    with pytest.raises(ValueError, match='expected a version like'):
        world.container((Noted, 'noted', 'x'), start=False)


def test_metrics_that_an_interface_adds_before_the_start_belong_to_the_container(world):
    class Measured(lymph.Interface):
        def apply_config(self, config):
            self.metrics.add([('early', 1, {})])

    class MeasuredPlugin(Plugin):
        def __init__(self, container, config=None):
            super().__init__(container, config)
            self.metrics.add([('plugged', 1, {})])

    container = world.container((Measured, 'measured'), start=False)
    container.install_plugin(MeasuredPlugin)
    assert {'early', 'plugged'} <= {name for name, _, _ in container.metrics}


def test_parts_start_before_interfaces_and_stop_after_them(world):
    journal = []
    container = world.container(start=False)
    container.add_component(NotedPart(journal, 'first'))
    interface = container.install_interface(Noted, 'noted')
    interface.journal = journal
    container.start()
    assert journal == ['start first', 'start']
    container.stop()
    assert journal == ['start first', 'start', 'stop', 'stop first']


def test_a_component_added_to_a_running_container_starts_at_once_and_stops_with_it(world):
    journal = []
    container = world.container()
    part = NotedPart(journal)
    container.add_component(part)
    assert journal == ['start part']
    assert part.pool is container.pool
    container.stop()
    assert journal == ['start part', 'stop part']


def test_a_plugin_installed_in_a_running_container_starts_at_once(world):
    journal = []

    class Noting(Plugin):
        def on_start(self):
            journal.append('start')

    world.container().install_plugin(Noting)
    assert journal == ['start']


def test_interface_cannot_be_installed_in_a_running_container(world):
    container = world.container()
    with pytest.raises(LymphError, match='installed before the container is started'):
        container.install_interface(Noted, 'noted')
    assert container.interfaces == []


@pytest.mark.parametrize('moment', ['__init__', 'apply_config', 'on_start', 'running'])
def test_components_of_an_interface_start_before_it_is_registered_and_stop_after_it(world, moment):
    journal = []

    class Composed(lymph.Interface):
        def __init__(self, *args):
            super().__init__(*args)
            self.reach('__init__')

        def apply_config(self, config):
            self.reach('apply_config')

        def on_start(self):
            self.reach('on_start')
            journal.append('start interface')

        def on_stop(self):
            journal.append('stop interface')

        def reach(self, now):
            if now == moment:
                self.part = NotedPart(journal)
                self.add_component(self.part)

    container = world.container((Composed, 'composed'))
    interface = container.interfaces[0]
    interface.reach('running')
    assert sorted(journal) == ['start interface', 'start part']
    assert (journal[0] == 'start part') == (moment != 'running')
    assert interface.part.error_hook is interface.error_hook
    container.stop()
    assert journal[2:] == ['stop interface', 'stop part']


def test_an_interface_has_its_section_of_the_configuration(world):
    container = world.container(start=False)
    section = {'a': 1}
    assert container.install_interface(lymph.Interface, 'plain', None, section).config is section
    assert container.install_interface(lymph.Interface, 'empty').config == {}


def test_interface_may_have_its_own_attribute_config(world):
    class Keeping(lymph.Interface):
        def apply_config(self, config):
            self.config = {**config, 'more': 2}

    class Serving(lymph.Interface):
        @lymph.rpc()
        def config(self):
            return 'served'

    container = world.container((Keeping, 'keeping', None, {'a': 1}), (Serving, 'serving'))
    assert container.interfaces[0].config == {'a': 1, 'more': 2}
    assert container.request('serving', 'serving.config') == 'served'


def test_interface_can_be_found_and_called_only_after_the_start(world):
    caller = world.container()
    container = world.container((Noted, 'noted'), start=False)
    with pytest.raises(LookupFailure):
        caller.request('noted', 'noted.echo')
    container.start()
    assert caller.request('noted', 'noted.echo', {'text': 'x'}) == 'x'
    container.stop()
    with pytest.raises(LookupFailure):
        caller.request('noted', 'noted.echo')


def test_an_interface_may_call_and_emit_while_it_starts_and_stops(world):
    class Early(lymph.Interface):
        def on_start(self):
            self.answer = self.request('noted', 'noted.echo', text='up')
            self.emit('unheard')

        def on_stop(self):
            self.answer = self.request('noted', 'noted.echo', text='down')
            self.emit('unheard')

    world.container((Noted, 'noted'))
    early = world.container((Early, 'early')).interfaces[0]
    assert early.answer == 'up'
    early.container.stop()
    assert early.answer == 'down'


def test_unregistered_container_can_be_called_at_its_endpoint(world):
    container = world.container((Noted, 'noted'), start=False)
    container.start(register=False)
    caller = world.container()
    assert caller.discover() == set()
    assert caller.request(container.endpoint, 'noted.echo', {'text': 'x'}) == 'x'


def test_calls_during_the_start_are_refused(world):
    caller = world.container()

    class Slow(lymph.Interface):
        def on_start(self):
            with pytest.raises(Refused) as caught:
                caller.request(self.container.endpoint, 'slow.echo', retries=0)
            self.reason = caught.value.reason

        @lymph.rpc()
        def echo(self):
            return 'too early'

    slow = world.container((Slow, 'slow')).interfaces[0]
    assert slow.reason == 'starting'
    assert caller.request('slow', 'slow.echo') == 'too early'


@pytest.mark.parametrize('when', ['component', 'interface', 'event handler', 'registry'])
def test_failure_during_start_stops_what_was_started(world, when):
    journal = []

    class Fails(lymph.Interface):
        def on_start(self):
            if when == 'interface':
                raise RuntimeError('interface does not start')

        def on_stop(self):
            journal.append('stop fails')

    class Refuses(StaticServiceRegistry):
        def register(self, name, instance, namespace='rpc'):
            if name == 'fails':
                raise RegistrationFailure('not you')
            super().register(name, instance, namespace)

    registry = Refuses(world.registry_hub) if when == 'registry' else None
    container = world.container((Noted, 'noted'), start=False, registry=registry)
    container.add_component(NotedPart(journal, 'good'))
    container.add_component(NotedPart(journal, 'bad', fails=when == 'component'))
    if when == 'event handler':
        container.events.subscribe = _fails
    container.install_interface(Fails, 'fails')
    with pytest.raises((RuntimeError, RegistrationFailure)):
        container.start()
    noted = container.interfaces[0]
    assert journal[:2] == ['start good', 'start bad']
    assert journal[-2:] == ['stop bad', 'stop good']
    assert noted.journal == ['config {}', 'start', 'stop']
    assert container.join(0)
    assert world.registry_hub.names('rpc') == set()
    assert world.network.listeners == {}


def _fails(subscription):
    raise RuntimeError('no subscriptions today')


def test_a_container_leaves_the_registry_before_its_interfaces_stop(world):
    class Looks(lymph.Interface):
        def on_stop(self):
            self.found = world.registry_hub.names('rpc')

    container = world.container((Looks, 'looks'))
    assert world.registry_hub.names('rpc') == {'looks'}
    container.stop()
    assert container.interfaces[0].found == set()


def test_stop_is_idempotent_and_ends_join(world, spawn):
    container = world.container((Noted, 'noted'))
    joining = spawn(container.join)
    assert not container.join(0)
    assert container.stop() == 0
    assert container.stop() == 0
    assert joining.get(timeout=5) is True
    assert container.interfaces[0].journal.count('stop') == 1


def test_a_container_that_was_never_started_can_be_stopped(world):
    container = world.container((Noted, 'noted'), start=False)
    assert container.stop() == 0
    assert container.interfaces[0].journal == ['config {}']


def test_registry_that_fails_does_not_prevent_the_stop(world):
    class Fails(StaticServiceRegistry):
        def unregister(self, name, instance, namespace='rpc'):
            super().unregister(name, instance, namespace)
            raise RuntimeError('cannot unregister')

    for end in ('stop', 'drain'):
        container = world.container((Noted, 'noted'), registry=Fails(world.registry_hub))
        getattr(container, end)()
        assert container.join(0)
        assert container.interfaces[0].journal[-1] == 'stop'
        assert world.network.listeners == {}


def test_stop_ends_running_handlers_and_returns_their_number(world, spawn):
    container, caller = world.container((Noted, 'noted')), world.container()
    calls = [spawn(caller.request, 'noted', 'noted.wait', timeout=30) for _ in range(3)]
    noted = container.interfaces[0]
    for _ in calls:
        noted.begun.get(timeout=5)
    assert container.stop() == 3
    assert noted.journal[-4:] == ['cut'] * 3 + ['stop']
    for call in calls:
        with pytest.raises((Failed, ConnectionLost)):
            call.get(timeout=5)


def test_handler_that_does_not_end_cannot_block_the_stop(world, spawn):
    class Stubborn(lymph.Interface):
        begun = Event()
        gate = Event()

        @lymph.rpc()
        def hold(self):
            self.begun.set()
            try:
                gevent.sleep(60)
            finally:
                self.gate.wait(30)

    container, caller = world.container((Stubborn, 'stubborn')), world.container()
    call = spawn(caller.request, 'stubborn', 'stubborn.hold', timeout=30)
    assert Stubborn.begun.wait(5)
    assert container.stop() == 1
    assert container.join(0)
    Stubborn.gate.set()
    with pytest.raises((Failed, ConnectionLost)):
        call.get(timeout=5)


def test_long_running_greenlets_of_all_parts_end_with_the_container(world):
    class Spawns(lymph.Interface):
        def on_start(self):
            self.lasting = self.spawn(gevent.sleep, 1000)

    container = world.container((Spawns, 'spawns'))
    lasting = container.interfaces[0].lasting
    assert not lasting.dead
    container.stop()
    assert lasting.dead


def test_a_method_may_stop_its_own_container(world):
    class Suicidal(Noted):
        @lymph.rpc()
        def end(self):
            self.container.stop()

    container, caller = world.container((Suicidal, 'suicidal')), world.container()
    with pytest.raises(ConnectionLost):
        caller.request('suicidal', 'suicidal.end', timeout=5)
    assert container.join(5)
    assert container.interfaces[0].journal[-1] == 'stop'


# Draining.


def test_drain_finishes_running_handlers(world, spawn):
    container, caller = world.container((Noted, 'noted'), drain_timeout=10), world.container()
    call = spawn(caller.request, 'noted', 'noted.wait', timeout=30)
    noted = container.interfaces[0]
    noted.begun.get(timeout=5)
    drain = spawn(container.drain)
    eventually(lambda: container.draining)
    with pytest.raises(LookupFailure):  # out of the registry at once
        world.container().request('noted', 'noted.echo')
    # callers that have not noticed yet are answered for a while
    assert caller.request(container.endpoint, 'noted.echo', {'text': 'x'}) == 'x'
    noted.gate.set()
    assert call.get(timeout=5) == 'waited'
    assert drain.get(timeout=30) == 0
    assert noted.journal[-2:] == ['waited', 'stop']
    assert container.join(0)


def test_draining_container_refuses_new_calls_with_the_reason(world, spawn):
    container = world.container((Noted, 'noted'), drain_timeout=2)
    caller = world.container()
    call = spawn(caller.request, container.endpoint, 'noted.wait', timeout=30)
    noted = container.interfaces[0]
    noted.begun.get(timeout=5)
    drain = spawn(container.drain)

    def is_refused():
        try:
            caller.request(container.endpoint, 'noted.echo', retries=0)
        except Refused as error:
            return error.reason

    assert eventually(is_refused, timeout=10) == 'draining'
    noted.gate.set()
    assert call.get(timeout=5) == 'waited'
    assert drain.get(timeout=30) == 0


def test_drain_cuts_handlers_that_do_not_end_and_returns_their_number(world, spawn):
    container, caller = world.container((Noted, 'noted'), drain_timeout=0.05), world.container()
    call = spawn(caller.request, 'noted', 'noted.wait', timeout=30)
    container.interfaces[0].begun.get(timeout=5)
    assert container.drain() == 1
    with pytest.raises((Failed, ConnectionLost)):
        call.get(timeout=5)


def test_a_drain_waits_for_event_handlers_too(world, spawn):
    container, caller = world.container((Noted, 'noted'), drain_timeout=10), world.container()
    caller.emit_event('something')
    noted = container.interfaces[0]
    noted.begun.get(timeout=5)
    drain = spawn(container.drain)
    eventually(lambda: container.draining)
    noted.gate.set()
    assert drain.get(timeout=30) == 0
    assert noted.journal[-2:] == ['handled', 'stop']


def test_events_that_arrive_during_a_drain_are_left_to_others(world, spawn):
    container, caller = world.container((Noted, 'noted'), drain_timeout=10), world.container()
    drain = spawn(container.drain)
    eventually(lambda: container.draining)
    caller.emit_event('something')
    assert drain.get(timeout=30) == 0
    assert 'handled' not in container.interfaces[0].journal
    successor = world.container((Noted, 'noted')).interfaces[0]
    successor.begun.get(timeout=5)
    successor.gate.set()
    eventually(lambda: successor.journal[-1] == 'handled')


def test_a_stop_during_a_drain_ends_it_at_once(world, spawn):
    container, caller = world.container((Noted, 'noted'), drain_timeout=600), world.container()
    call = spawn(caller.request, 'noted', 'noted.wait', timeout=30)
    container.interfaces[0].begun.get(timeout=5)
    drain = spawn(container.drain)
    eventually(lambda: container.draining)
    assert container.stop() == 1
    assert container.join(0)
    with pytest.raises((Failed, ConnectionLost)):
        call.get(timeout=5)
    drain.get(timeout=5)


def test_a_second_drain_is_ignored(world, spawn):
    container = world.container((Noted, 'noted'), drain_timeout=1)
    drain = spawn(container.drain)
    eventually(lambda: container.draining)
    assert container.drain() == 0
    assert drain.get(timeout=5) == 0


class Slow(lymph.Interface):
    """Starts only when the test lets it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.starting = Event()
        self.go_on = Event()

    def on_start(self):
        self.starting.set()
        self.go_on.wait(30)


@pytest.mark.parametrize('end', ['stop', 'drain'])
def test_a_container_stopped_while_it_starts_leaves_nothing_behind(world, spawn, end):
    container = world.container((Slow, 'slow'), (Noted, 'noted'), start=False)
    slow, noted = container.interfaces
    starting = spawn(container.start)
    assert slow.starting.wait(5)
    ending = spawn(getattr(container, end))
    eventually(lambda: container.draining)
    slow.go_on.set()
    with pytest.raises(lymph.LymphError):
        starting.get(timeout=5)
    assert ending.get(timeout=5) == 0
    assert noted.journal in (['config {}'], ['config {}', 'start', 'stop'])
    assert container.join(0)
    assert world.registry_hub.names('rpc') == set()
    assert world.network.listeners == {}


# Versions.


class Old(lymph.Interface):
    @lymph.rpc()
    def which(self):
        return 'old'

    @lymph.rpc()
    def only_old(self):
        return 'old'


class New(lymph.Interface):
    @lymph.rpc()
    def which(self):
        return 'new'


def test_one_container_serves_several_versions(world):
    world.container((Old, 'which', '1.5.0'), (New, 'which', '2.0.0'))
    caller = world.container()
    assert len(caller.lookup('which')) == 2
    ask = lymph.Proxy
    assert ask(caller, 'which', version='1.2').which() == 'old'
    assert ask(caller, 'which', version='2').which() == 'new'
    assert ask(caller, 'which').which() == 'new'
    assert ask(caller, 'which', version='1').only_old() == 'old'
    with pytest.raises(Refused) as caught:
        ask(caller, 'which').only_old()
    assert caught.value.reason == 'unknown_method'
    with pytest.raises(LookupFailure):
        ask(caller, 'which', version='1.6').which()


class Versioned(lymph.Interface):
    @lymph.rpc()
    def tell(self):
        return self.version


class Later(Versioned):
    @lymph.rpc()
    def added(self):
        return self.version


@pytest.mark.parametrize('layout', ['one process', 'a process for each'])
@pytest.mark.parametrize(
    ('wanted', 'versions', 'answering'),
    [
        (None, ['1.5.0', '2.0.0'], {'2.0.0'}),
        (None, ['1.0', '1.1'], {'1.0', '1.1'}),
        (None, ['1.0', '2.0', '2.1'], {'2.0', '2.1'}),
        (None, [None, '1.0', '2.0'], {None, '2.0'}),
        ('1', [None, '1.0'], {'1.0'}),
        (None, [None, '0.5'], {None, '0.5'}),
        ('1', ['1.0', '1.1', '2.0'], {'1.0', '1.1'}),
        ('1.1', ['1.0', '1.1', '1.2', '2.0'], {'1.1', '1.2'}),
        ('1.0.1', ['1.0', '1.1', '1.10'], {'1.1', '1.10'}),
    ],
)
def test_versions_that_serve_a_call_share_the_calls_in_one_process_as_in_several(
    world, layout, wanted, versions, answering
):
    interfaces = [(Versioned, 'versioned', version) for version in versions]
    for group in [interfaces] if layout == 'one process' else [[each] for each in interfaces]:
        world.container(*group)
    proxy = lymph.Proxy(world.container(), 'versioned', version=wanted)
    told = set()

    def ask():
        answer = proxy.tell()
        assert answer in answering
        told.add(answer)
        return told == answering

    eventually(ask)
    for _ in range(4 * len(versions)):
        ask()


def test_versions_in_one_process_take_turns_for_methods_they_have(world):
    world.container((Versioned, 'v', '1.0'), (Later, 'v', '1.1'), (Later, 'v', '2.0'))
    proxy = lymph.Proxy(world.container(), 'v', version='1')
    assert sorted(proxy.tell() for _ in range(10)) == ['1.0'] * 5 + ['1.1'] * 5
    assert {proxy.added() for _ in range(10)} == {'1.1'}
    exact = lymph.Proxy(world.container(), 'v', version='1.1')
    assert {exact.tell() for _ in range(5)} == {'1.1'}


def test_an_endpoint_answers_without_a_version_as_the_newest_major_version_it_has(world):
    container = world.container((Versioned, 'v', '1.0'), (Versioned, 'v', '2.0'))
    caller = world.container()
    told = {caller.request(container.endpoint, 'v.tell') for _ in range(5)}
    assert told == {'2.0'}


def test_an_event_reaches_one_of_several_versions(world):
    container = world.container((Noted, 'noted', '1.0'), (Noted, 'noted', '2.0'))
    old, new = container.interfaces
    old.gate.set()
    new.gate.set()
    world.container().emit_event('something')
    eventually(lambda: 'handled' in old.journal + new.journal)
    assert (old.journal + new.journal).count('handled') == 1


# What a container tells about itself.


def test_status_has_the_facts_for_an_operator(world):
    container = world.container((Noted, 'noted', '1.2'), pool_size=7)
    status = world.container().request(container.endpoint, 'lymph.status')
    assert status['identity'] == container.identity
    assert status['endpoint'] == container.endpoint
    assert status['interfaces'] == [{'name': 'noted', 'version': '1.2', 'class': 'Noted'}]
    assert status['handlers'] == {'running': 0, 'pool_size': 7, 'cancelled': 0}
    assert status['callers'] == 1
    assert status['draining'] is False
    assert status['listener'] == {
        'endpoint': container.endpoint,
        'accepting': True,
        'reason': None,
        'dropped': 0,
    }
    assert status['buffered'] in (None, 0)
    assert abs(status['time'] - time.time()) < 60
    assert 0 < status['descriptors']['open'] < status['descriptors']['limit']
    assert status['version'] == version('lymph-core')
    assert (status['worker'], status['tasks'], status['errors']) == (False, [], [])
    assert status['loop'] is None  # there is no watchdog here


def test_status_names_the_last_errors_without_their_text(world):
    container, caller = world.container((Secretive, 'secretive')), world.container()
    for number in range(12):
        with pytest.raises(Failed):
            caller.request('secretive', 'secretive.fail', {'number': number})
    errors = caller.request(container.endpoint, 'lymph.status')['errors']
    assert len(errors) == 10
    assert {(each['where'], each['error']) for each in errors} == {('secretive.fail', 'KeyError')}
    assert all(each['trace_id'] and each['time'] > 0 for each in errors)
    assert 'pa55word' not in str(errors)


def test_metrics_of_calls_and_events_are_counted(world):
    container, caller = world.container((Noted, 'noted')), world.container()
    noted = container.interfaces[0]
    noted.gate.set()
    for _ in range(3):
        caller.request('noted', 'noted.echo')
    with pytest.raises(Refused):
        caller.request('noted', 'noted.echo', {'x': 1})
    caller.emit_event('something')
    eventually(lambda: 'handled' in noted.journal)
    counted = {
        (name, *sorted(tags.values())): value
        for name, value, tags in container.metrics
        if not name.endswith('seconds')
    }
    assert counted['rpc.handled', 'noted.echo'] == 3
    assert counted['rpc.refused', 'invalid_arguments', 'noted.echo'] == 1
    assert counted['rpc.running', 'noted.echo'] == 0
    tags = {'queue': 'noted.on_something', 'kind': 'event'}
    eventually(lambda: ('events.handled', 1, tags) in list(container.metrics))


def test_the_metrics_have_the_tags_of_the_configuration(world):
    container = world.container(metrics_tags={'zone': 'z'})
    assert {tags['zone'] for _, _, tags in container.metrics} == {'z'}


def test_a_drain_waits_for_its_parts_and_adds_what_they_cut(world):
    class Busy(lymph.Interface):
        def on_drain(self, timeout):
            return 3

    assert world.container((Busy, 'busy'), drain_timeout=0.01).drain() == 3


def test_stop_after_a_drain_that_was_ended_returns_what_both_have_cut(world, caplog):
    class Busy(lymph.Interface):
        def on_drain(self, timeout):
            return 3

    class Waits(lymph.Interface):
        begun = False

        def on_drain(self, timeout):
            self.begun = True
            gevent.sleep(timeout)
            return 100

        def on_stop(self):
            self.count_cut(4)

    container = world.container((Busy, 'busy'), (Waits, 'waits'), drain_timeout=600)
    drain = Greenlet(container.drain)
    drain.start()
    eventually(lambda: container.interfaces[1].begun)
    kill_in_time([drain], 5)
    assert drain.dead
    assert [container.stop(), container.stop(), container.drain()] == [7, 7, 7]
    assert 'could not be' not in caplog.text


def test_part_that_fails_to_drain_does_not_prevent_the_stop(world):
    class Fails(lymph.Interface):
        def on_drain(self, timeout):
            raise RuntimeError('cannot drain')

    container = world.container((Fails, 'fails'), drain_timeout=0.01)
    assert container.drain() == 0
    assert container.join(0)
