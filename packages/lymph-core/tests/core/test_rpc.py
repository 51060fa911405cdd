"""Calls between containers: each has exactly one outcome and leaves nothing behind."""

from __future__ import annotations

import logging
import re
import time

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core.messages import REQ, Message
from lymph.core.services import Service, ServiceInstance
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    NotConnected,
    Refused,
    RemoteError,
    SerializationError,
    Timeout,
)
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    """A service with methods for all outcomes."""

    other = lymph.proxy('other')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = 0
        self.gate = Event()
        self.begun = Queue()
        self.gave_up = Queue()

    @lymph.rpc()
    def echo(self, text=None):
        self.calls += 1
        return text

    @lymph.rpc(raises=(ValueError, OSError))
    def declared(self, name='ValueError', text='no good'):
        self.calls += 1
        raise {
            'ValueError': ValueError,
            'KeyError': KeyError,
            'IsADirectoryError': IsADirectoryError,
        }[name](text)

    @lymph.rpc()
    def wait(self):
        self.calls += 1
        self.begun.put(True)
        self.gate.wait(30)
        return 'waited'

    @lymph.rpc(idempotent=True)
    def look(self):
        self.calls += 1
        self.begun.put(True)
        self.gate.wait(30)
        return 'seen'

    @lymph.rpc()
    def odd(self):
        return object()

    @lymph.rpc()
    def late(self):
        with gevent.Timeout(0.001):
            gevent.sleep(30)

    @lymph.rpc()
    def relay(self, subject, text=None):
        arguments = {} if text is None else {'text': text}
        return self.request('other', subject, arguments, timeout=30)

    @lymph.rpc()
    def dawdle(self):
        while deadlines.remaining(60):
            gevent.sleep(0.001)
        try:
            return self.other.echo()
        except Expired as error:
            self.gave_up.put(str(error))
            raise

    @lymph.rpc()
    def context(self):
        deadline = deadlines.current()
        left = None if deadline is None else deadline - time.monotonic()
        return {'trace_id': trace.get_id(), 'left': left}

    @lymph.rpc()
    def relayed_context(self):
        return [self.context(), self.other.context()]


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo'))


@pytest.fixture
def echo(service):
    return service.interfaces[0]


@pytest.fixture
def caller(world, service):
    return world.container()


@pytest.fixture
def proxy(caller):
    return lymph.Proxy(caller, 'echo', timeout=5)


def pending(container):
    return sum(connection['pending'] for connection in container.rpc.stats()['connections'])


def total(container, what):
    return sum(connection[what] for connection in container.rpc.stats()['connections'])


# Results and errors.


@pytest.mark.parametrize('value', [None, 0, 'text', {'a': [1, {2}]}, 'x' * 100_000])
def test_a_call_returns_what_the_method_returns(proxy, value):
    assert proxy.echo(text=value) == value


def test_a_call_is_the_same_with_and_without_a_proxy(caller, service):
    assert caller.request('echo', 'echo.echo', {'text': 'x'}) == 'x'
    assert caller.request(service.endpoint, 'echo.echo', {'text': 'x'}) == 'x'
    assert lymph.Proxy(caller, service.endpoint, 'echo').echo(text='x') == 'x'


def test_a_container_can_call_itself(service):
    assert service.request('echo', 'echo.echo', {'text': 'x'}) == 'x'


def test_a_declared_error_arrives_with_its_name_and_text(proxy):
    with pytest.raises(RemoteError.ValueError, match='no good') as caught:
        proxy.declared()
    assert caught.value.executed == 'yes'
    assert str(caught.value) == 'no good'


def test_subclass_of_a_declared_error_is_declared(proxy):
    with pytest.raises(RemoteError.IsADirectoryError):
        proxy.declared(name='IsADirectoryError')


@pytest.mark.parametrize('text', ['\udcff', ''])
def test_declared_error_whose_text_cannot_be_encoded_still_arrives(service, caller, text):
    class Odd(lymph.Interface):
        @lymph.rpc(raises=OSError)
        def read(self):
            raise FileNotFoundError(text)

    with pytest.raises(RemoteError.FileNotFoundError):
        call_of(Odd, caller).read()


def test_declared_error_whose_text_raises_arrives_with_its_name(service, caller):
    class Unspeakable(ValueError):
        def __str__(self):
            raise RuntimeError('cannot be shown')

    class Odd(lymph.Interface):
        @lymph.rpc(raises=ValueError)
        def read(self):
            raise Unspeakable

    with pytest.raises(RemoteError.Unspeakable, match='its text cannot be made: RuntimeError'):
        call_of(Odd, caller).read()


def call_of(cls, caller, **options):
    """Return a proxy to an interface in a container of its own."""
    world = caller.world
    world.container((cls, 'odd'))
    return lymph.Proxy(caller, 'odd', timeout=5, **options)


@pytest.fixture(autouse=True)
def _reachable_world(request):
    if 'caller' in request.fixturenames:
        request.getfixturevalue('caller').world = request.getfixturevalue('world')


def test_undeclared_error_is_a_failure_without_its_text(proxy, caplog):
    with pytest.raises(Failed, match=r'echo\.declared at memory://\d+: KeyError') as caught:
        proxy.declared(name='KeyError', text='secret')
    assert 'secret' not in str(caught.value)
    assert (caught.value.reason, caught.value.executed) == ('failed', 'yes')
    assert 'secret' in caplog.text


def test_the_error_of_a_method_reaches_the_error_hook(service, proxy):
    errors = []
    service.error_hook.install(lambda error, **details: errors.append((repr(error), details)))
    with pytest.raises(Failed):
        proxy.declared(name='KeyError', text='x')
    ((error, details),) = errors
    assert error == "KeyError('x')"
    assert details.pop('trace_id')
    assert details == {'method': 'echo.declared'}


@pytest.mark.parametrize('method', ['odd', 'late'])
def test_unserializable_results_and_escaped_timeouts_are_failures(proxy, method, caplog):
    with pytest.raises(Failed):
        getattr(proxy, method)()


def test_unserializable_arguments_raise_before_anything_is_sent(proxy, echo):
    with pytest.raises(SerializationError, match='at text: object'):
        proxy.echo(text=object())
    assert echo.calls == 0


@pytest.mark.parametrize(
    ('subject', 'body', 'reason'),
    [
        ('ech.echo', {}, 'unknown_interface'),
        ('echo.ech', {}, 'unknown_method'),
        ('echo.echo', {'txt': 1}, 'invalid_arguments'),
    ],
)
def test_invalid_call_is_refused(caller, echo, subject, body, reason):
    with pytest.raises(Refused) as caught:
        caller.request('echo', subject, body)
    assert (caught.value.reason, caught.value.executed) == (reason, 'no')
    assert echo.calls == 0


@pytest.mark.parametrize('address', [None, 5, b'echo', ['echo'], {'echo'}])
def test_address_that_is_not_text_is_named_in_one_line(caller, address):
    expected = re.escape('expected the name of a service or an endpoint as text, found')
    for call in (
        lambda: caller.request(address, 'echo.upper'),
        lambda: caller.send_request(address, 'echo.upper'),
        lambda: caller.send_message(address, Message(REQ, 'echo.upper', {})),
        lambda: caller.lookup(address),
        lambda: caller.connect(address),
    ):
        with pytest.raises(TypeError, match=f'^{expected}'):
            call()


@pytest.mark.parametrize('subject', [None, 5, b'echo.upper', ['echo.upper']])
def test_method_that_is_not_text_is_named_in_one_line(caller, subject):
    for call in (caller.request, caller.send_request):
        with pytest.raises(TypeError, match=r"^expected the method .* 'echo\.upper', found .*$"):
            call('echo', subject)
    with pytest.raises(ValueError, match=r"^expected the method .*, found 'echo\.\\ud800'$"):
        caller.request('echo', 'echo.\ud800')


def test_body_of_an_interface_that_is_not_a_mapping_is_named_in_one_line(other):
    with pytest.raises(TypeError, match=r"^'echo\.upper': .* as a dict, found \['x'\]$"):
        other.request('echo', 'echo.upper', ['x'])


def test_service_without_instances_is_a_lookup_failure(caller):
    with pytest.raises(LookupFailure, match="'nobody'") as caught:
        caller.request('nobody', 'nobody.a')
    assert caught.value.executed == 'no'


@pytest.mark.parametrize('endpoint', ['memory://nowhere', 'tcp://127.0.0.1:1', 'nonsense://x'])
def test_endpoint_without_a_listener_raises_not_connected(caller, endpoint):
    with pytest.raises(NotConnected) as caught:
        caller.request(endpoint, 'echo.echo', retries=0)
    assert caught.value.executed == 'no'
    assert caller.rpc.stats()['connections'] == []


@pytest.mark.parametrize(
    ('count', 'said'),
    [
        (1, r'^1 instance of gone known, none reachable: memory://gone0: [^;]+$'),
        (3, r'^3 instances of gone known, none reachable: memory://gone\d: [^;]+(; [^;]+){2}$'),
        (5, r'^5 instances of gone known, 3 not reachable: memory://gone\d: [^;]+(; [^;]+){2}$'),
    ],
)
def test_unreachable_instances_raise_not_connected_with_their_number(world, caller, count, said):
    registry = world.registry_hub.create_registry()
    for number in range(count):
        registry.register('gone', ServiceInstance(f'{number}', f'memory://gone{number}'))
    try:
        with pytest.raises(NotConnected, match=said) as caught:
            caller.request('gone', 'gone.a', retries=2)
        assert caught.value.executed == 'no'
        message = Message(Message.REQ, 'gone.a', {})
        for send in (
            lambda: caller.send_request('gone', 'gone.a'),
            lambda: caller.send_message('gone', message),
        ):
            with pytest.raises(NotConnected, match=rf'^{count} instances? of gone known, '):
                send()
    finally:
        registry.on_stop()


def test_missing_answer_is_a_timeout(caller, echo):
    with pytest.raises(Timeout, match=r'no reply from echo\.wait at .* within') as caught:
        caller.request('echo', 'echo.wait', timeout=0.05)
    assert caught.value.executed == 'maybe'
    assert echo.calls == 1
    assert pending(caller) <= 1  # the question whether the peer is alive


def test_late_reply_is_dropped(caller, echo):
    with pytest.raises(Timeout):
        caller.request('echo', 'echo.wait', timeout=0.05)
    before = total(caller, 'strays')
    echo.gate.set()
    eventually(lambda: total(caller, 'strays') == before + 1)
    assert caller.request('echo', 'echo.echo', {'text': 'next'}) == 'next'


def test_broken_connection_ends_calls_with_connection_lost(world, caller, echo, spawn):
    call = spawn(caller.request, 'echo', 'echo.wait', timeout=5)
    echo.begun.get(timeout=5)
    world.network.cut()
    with pytest.raises(ConnectionLost, match=r'echo\.wait at memory://\d+: cut') as caught:
        call.get(timeout=5)
    assert caught.value.executed == 'maybe'


def test_call_after_a_lost_connection_uses_a_new_one(world, caller, echo, spawn):
    def insist():
        try:
            caller.request('echo', 'echo.wait', timeout=5)
        except ConnectionLost:
            return caller.request('echo', 'echo.echo', {'text': 'again'}, retries=0)

    call = spawn(insist)
    echo.begun.get(timeout=5)
    world.network.cut()
    assert call.get(timeout=5) == 'again'


def test_caller_killed_while_waiting_leaves_no_state_behind(caller, echo, spawn):
    call = spawn(caller.request, 'echo', 'echo.wait', timeout=60)
    echo.begun.get(timeout=5)
    assert pending(caller) == 1
    call.kill()
    assert pending(caller) == 0
    echo.gate.set()
    eventually(lambda: total(caller, 'strays') == 1)


def test_gevent_timeout_of_the_caller_is_raised_unchanged(caller, echo):
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.02):
        caller.request('echo', 'echo.wait', timeout=60)
    assert pending(caller) == 0


# A handler's own calls.


@pytest.fixture
def other(world, caller):
    return world.container((Echo, 'other')).interfaces[0]


@pytest.mark.parametrize(
    ('subject', 'text'),
    [('other.nothing', None), ('other.declared', 5), ('nothing.at_all', None), ('other.odd', None)],
)
def test_method_whose_own_call_fails_has_failed(proxy, other, subject, text):
    """Otherwise its caller would believe that the method did not run."""
    with pytest.raises(Failed) as caught:
        proxy.relay(subject=subject, text=text)
    assert caught.value.executed == 'yes'


def test_method_whose_own_look_up_fails_has_failed(proxy):
    with pytest.raises(Failed):
        proxy.relay(subject='other.echo')


# Contexts.


def test_a_trace_follows_a_call_and_the_calls_it_makes(proxy, other):
    trace.set_id('mine')
    assert [context['trace_id'] for context in proxy.relayed_context()] == ['mine', 'mine']
    trace._trace_id.set(None)


def test_calls_outside_of_a_trace_each_begin_one(proxy, other):
    trace._trace_id.set(None)
    (one, inner), (two, _) = proxy.relayed_context(), proxy.relayed_context()
    assert one['trace_id'] == inner['trace_id'] != two['trace_id']
    assert trace.get_id() is None


def test_remaining_time_shrinks_with_each_nested_call(caller, other):
    outer, inner = caller.request('echo', 'echo.relayed_context', timeout=5)
    assert 0 < inner['left'] <= outer['left'] <= 5


def test_nested_call_waits_no_longer_than_its_caller(caller, other):
    with pytest.raises(Timeout):
        caller.request('echo', 'echo.relay', {'subject': 'other.wait'}, timeout=0.1)
    eventually(lambda: pending(other.container) == 0)
    # relay allows its own call 30 s, and yet is over
    (relaying,) = (
        c for c in caller.world.containers if c.interfaces and c.interfaces[0].name == 'echo'
    )
    eventually(lambda: relaying.workers.running == 0)


def test_work_after_its_deadline_makes_no_calls(caller, echo):
    def overdue():
        deadlines.set_current(time.monotonic() - 1)
        with pytest.raises(Expired) as caught:
            caller.request('echo', 'echo.echo', timeout=5)
        return caught.value.executed

    assert gevent.spawn(overdue).get(timeout=5) == 'no'
    assert echo.calls == 0


def test_work_for_an_expired_caller_makes_no_calls_two_services_down(caller, echo, other):
    with pytest.raises((Timeout, Failed)):
        caller.request('echo', 'echo.dawdle', timeout=0.05)
    assert echo.gave_up.get(timeout=5) == 'other.echo: no time left for the call'
    assert other.calls == 0


# Deferred calls.


def test_a_deferred_call_gives_its_result_later(proxy, echo):
    future = proxy.wait.defer()
    echo.begun.get(timeout=5)
    assert not future.ready()
    echo.gate.set()
    assert future.get(timeout=5) == 'waited'


def test_a_deferred_call_carries_the_trace_on(proxy):
    trace.set_id('mine')
    assert proxy.context.defer().get(timeout=5)['trace_id'] == 'mine'
    trace._trace_id.set(None)


def test_a_deferred_call_gives_its_error(proxy):
    with pytest.raises(RemoteError.ValueError, match='no good'):
        proxy.declared.defer().get(timeout=5)
    with pytest.raises(Refused):
        proxy.nothing.defer().get(timeout=5)


def test_deferred_call_that_cannot_be_sent_gives_its_error_too(caller):
    with pytest.raises(ValueError, match='expected a version'):
        caller.defer(lambda: caller.request('echo', 'echo.echo', version='nonsense')).get(timeout=5)


def test_a_deferred_call_maps_its_error_like_any_other(caller, service):
    mapped = lymph.Proxy(caller, 'echo', timeout=5, error_map={'ValueError': LookupError})
    with pytest.raises(LookupError, match='no good'):
        mapped.declared()
    with pytest.raises(LookupError, match='no good'):
        mapped.declared.defer().get(timeout=5)


def test_deferred_call_with_unserializable_arguments_raises_at_once(proxy):
    with pytest.raises(SerializationError):
        proxy.echo.defer(text=object())


def test_deferred_calls_that_are_ignored_leave_nothing_behind(proxy, caller, echo, caplog):
    for _ in range(50):
        proxy.echo.defer()
        proxy.declared.defer()
    eventually(lambda: echo.calls == 100)
    eventually(lambda: caller.rpc.stats()['deferred'] == 0)
    assert pending(caller) == 0
    assert caplog.records == []


def test_a_deferred_call_ends_with_its_container(caller, proxy, echo):
    future = proxy.wait.defer()
    echo.begun.get(timeout=5)
    queued = proxy.echo.defer()
    caller.stop()
    for cut in (future, queued):
        with pytest.raises((ConnectionLost, NotConnected)):
            cut.get(timeout=5)
    with pytest.raises(NotConnected, match='stopped'):
        proxy.echo.defer().get(timeout=5)


# Several instances.


@pytest.fixture
def instances(world):
    return [world.container((Echo, 'echo'), pool_size=1) for _ in range(3)]


@pytest.fixture
def chooser(world, instances):
    container = world.container()
    container.world = world
    return container


def calls(instances):
    return [instance.interfaces[0].calls for instance in instances]


def test_calls_are_spread_over_the_instances(chooser, instances):
    for _ in range(90):
        chooser.request('echo', 'echo.echo')
    assert sum(calls(instances)) == 90
    assert min(calls(instances)) > 0


def test_refused_call_is_retried_on_another_instance(chooser, instances, spawn):
    busy = instances[0].interfaces[0]
    waiting = spawn(chooser.request, instances[0].endpoint, 'echo.wait', timeout=30)
    busy.begun.get(timeout=5)
    for _ in range(30):
        assert chooser.request('echo', 'echo.echo', {'text': 'x'}) == 'x'
    busy.gate.set()
    assert waiting.get(timeout=5) == 'waited'
    assert busy.calls == 1


def test_refusal_without_retries_is_raised(world, caller, service, spawn):
    full = world.container((Echo, 'full'), pool_size=1)
    waiting = spawn(caller.request, 'full', 'full.wait', timeout=30)
    full.interfaces[0].begun.get(timeout=5)
    with pytest.raises(Refused, match='all 1 handlers are busy') as caught:
        caller.request('full', 'full.echo', retries=0)
    assert caught.value.reason == 'overloaded'
    full.interfaces[0].gate.set()
    assert waiting.get(timeout=5) == 'waited'


def test_instance_that_is_gone_is_avoided(world, chooser, instances):
    for _ in range(9):
        chooser.request('echo', 'echo.echo')
    (listener,) = (
        listener
        for endpoint, listener in list(world.network.listeners.items())
        if endpoint == instances[0].endpoint
    )
    listener.close()  # gone without a word to the registry
    world.network.cut(instances[0].endpoint)
    before = calls(instances)[0]
    for _ in range(50):
        assert chooser.request('echo', 'echo.echo', {'text': 'x'}) == 'x'
    assert calls(instances)[0] == before


def test_call_that_may_have_run_is_not_retried(world, chooser, instances, spawn):
    call = spawn(chooser.request, 'echo', 'echo.wait', timeout=5)
    eventually(lambda: sum(calls(instances)) == 1)
    world.network.cut()
    with pytest.raises(ConnectionLost):
        call.get(timeout=5)
    assert sum(calls(instances)) == 1


def test_idempotent_call_is_retried_on_another_instance(world, chooser, instances, spawn):
    call = spawn(chooser.request, 'echo', 'echo.look', timeout=5, idempotent=True)
    eventually(lambda: sum(calls(instances)) == 1)
    for instance in instances:
        instance.interfaces[0].gate.set()
    world.network.cut()
    assert call.get(timeout=5) == 'seen'
    assert sum(calls(instances)) == 2


def test_method_declared_idempotent_is_retried_once_a_reply_has_said_so(
    world, chooser, instances, spawn
):
    for instance in instances:
        instance.interfaces[0].gate.set()
    assert chooser.request('echo', 'echo.look') == 'seen'
    for instance in instances:
        instance.interfaces[0].gate.clear()
    call = spawn(chooser.request, 'echo', 'echo.look', timeout=5)
    eventually(lambda: sum(calls(instances)) == 2)
    for instance in instances:
        instance.interfaces[0].gate.set()
    world.network.cut()
    assert call.get(timeout=5) == 'seen'
    assert sum(calls(instances)) == 3


def test_a_full_instance_still_answers_its_operator(world, caller, spawn):
    full = world.container((Echo, 'full'), pool_size=1)
    waiting = spawn(caller.request, 'full', 'full.wait', timeout=30)
    full.interfaces[0].begun.get(timeout=5)
    assert caller.request('full', 'lymph.ping', {'payload': 7}, retries=0) == 7
    assert caller.request('full', 'lymph.status', retries=0)['handlers']['running'] == 1
    full.interfaces[0].gate.set()
    assert waiting.get(timeout=5) == 'waited'


def test_error_of_the_method_is_never_retried(chooser, instances):
    with pytest.raises(RemoteError.ValueError):
        chooser.request('echo', 'echo.declared')
    with pytest.raises(Failed):
        chooser.request('echo', 'echo.declared', {'name': 'KeyError'})
    assert sum(calls(instances)) == 2


def test_last_error_is_raised_when_no_retries_are_left(chooser, instances):
    with pytest.raises(NotConnected):
        chooser.request('memory://nowhere', 'echo.echo', retries=5, timeout=5)


def test_deadline_ends_the_retries(chooser):
    with pytest.raises(NotConnected):
        chooser.request('memory://nowhere', 'echo.echo', retries=1000_000, timeout=0.05)


def test_version_decides_which_instance_is_called(world, caller):
    old = world.container((Echo, 'many', '1.2')).interfaces[0]
    new = world.container((Echo, 'many', '2.0')).interfaces[0]
    for _ in range(5):
        caller.request('many', 'many.echo', version='1.1')
    for _ in range(3):
        caller.request('many', 'many.echo', version='2')
    assert (old.calls, new.calls) == (5, 3)
    with pytest.raises(
        LookupFailure, match=r'no instance of many serves 3\.0\.0 \(versions: 1\.2, 2\.0\)'
    ):
        caller.request('many', 'many.echo', version='3')
    with pytest.raises(ValueError, match='expected a version'):
        caller.request('many', 'many.echo', version='x')


def test_call_without_a_version_is_not_retried_on_an_older_major_version(world, caller):
    old = world.container((Echo, 'many', '1.2')).interfaces[0]
    for version in ('2.0', '2.1'):
        world.container((Echo, 'many', version))
    for _ in range(20):
        caller.request('many', 'many.echo')
    assert old.calls == 0


# Lower-level calls.


def test_a_request_can_be_sent_and_its_reply_fetched(caller, service):
    for address in ('echo', service.endpoint):
        channel = caller.send_request(address, 'echo.echo', {'text': 'x'})
        reply = channel.get(timeout=5)
        assert (reply.type, reply.body) == (Message.REP, 'x')
        assert channel.get() is reply


def test_a_refusal_is_a_reply_too(caller, service):
    reply = caller.send_request('echo', 'echo.nothing').get(timeout=5)
    assert (reply.type, reply.headers['reason']) == (Message.NACK, 'unknown_method')


def test_a_message_can_be_sent_as_it_is(caller, service):
    message = Message(Message.REQ, 'echo.echo', {'text': 'x'})
    reply = caller.send_message('echo', message).get(timeout=5)
    assert (reply.subject, reply.body) == (message.id, 'x')


def test_a_request_without_a_reply_in_time_is_a_timeout(caller, echo):
    channel = caller.send_request('echo', 'echo.wait', timeout=0.05)
    with pytest.raises(Timeout):
        channel.get(timeout=5)


def test_a_lookup_gives_the_service_or_the_instance(caller, service):
    found = caller.lookup('echo')
    assert isinstance(found, Service)
    assert [instance.endpoint for instance in found] == [service.endpoint]
    instance = caller.lookup(service.endpoint)
    assert isinstance(instance, ServiceInstance)
    assert instance.endpoint == service.endpoint
    with pytest.raises(LookupFailure):
        caller.lookup('nobody')


def test_the_instance_at_an_endpoint_has_the_identity_of_its_process(caller, service):
    found, again = caller.lookup(service.endpoint), caller.lookup(service.endpoint)
    assert found.identity == service.identity
    assert found.key == service.identity
    assert found.serialize() == {'identity': service.identity, 'endpoint': service.endpoint}
    assert {found, again} == {found}


def test_the_identity_at_an_endpoint_is_asked_for_when_it_is_read(caller):
    nobody = caller.lookup('memory://nowhere')
    assert nobody == caller.lookup('memory://nowhere')
    assert 'memory://nowhere' in repr(nobody)
    with pytest.raises(NotConnected):
        nobody.identity  # noqa: B018 - reading it is what fails


def test_services_and_instances_that_were_looked_up_connect(caller, service):
    connection = caller.connect(service.endpoint)
    assert caller.lookup('echo').connect() is connection
    assert caller.lookup(service.endpoint).connect() is connection
    assert next(iter(caller.lookup('echo'))).connect() is connection
    connection.wait_up(time.monotonic() + 5)
    assert connection.state == 'up'


def test_connecting_to_an_invalid_endpoint_is_an_error(caller):
    with pytest.raises(NotConnected, match='expected an endpoint like'):
        caller.connect('tcp://127.0.0.1:1')


def test_the_names_of_services_are_discovered(world, caller, service):
    world.container((Echo, 'second'))
    assert caller.discover() == {'echo', 'second'}


def test_stopped_container_makes_no_calls(caller, service):
    caller.request('echo', 'echo.echo')
    caller.stop()
    with pytest.raises((NotConnected, LookupFailure)):
        caller.request('echo', 'echo.echo', retries=0)
    with pytest.raises(NotConnected, match='this container was stopped; make a new one'):
        caller.request(service.endpoint, 'echo.echo', retries=0)


# What a call must not do.


def test_a_call_logs_nothing(proxy, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(3):
        proxy.echo(text='x')
        with pytest.raises(RemoteError):
            proxy.declared()
        with pytest.raises(Refused):
            proxy.nothing()
    assert caplog.records == []


# Messages that are too long.


def test_a_result_that_is_too_long_is_a_failure(world, caplog):
    class Long(lymph.Interface):
        @lymph.rpc()
        def result(self):
            return 'x' * 20_000

    world.container((Long, 'long'), max_message_size=10_000)
    caller = world.container()
    with pytest.raises(Failed, match='MessageTooLong'):
        caller.request('long', 'long.result', timeout=5, retries=0)
    assert 'max_message_size is 10000' in caplog.text
    assert caller.request('long', 'lymph.ping', {'payload': 1}, timeout=5) == 1


def test_arguments_that_are_too_long_are_an_error_before_anything_is_sent(world, service):
    caller = world.container(max_message_size=10_000)
    with pytest.raises(ValueError, match='max_message_size is 10000'):
        caller.request('echo', 'echo.echo', {'text': 'x' * 20_000})
    assert pending(caller) == 0
    assert caller.request('echo', 'echo.echo', {'text': 'x'}) == 'x'


# Timeouts.


@pytest.mark.parametrize('timeout', [float('inf'), float('nan'), '5', 10**400, b'', [], {}])
def test_a_timeout_is_a_number_of_seconds(caller, service, timeout):
    with pytest.raises(ValueError, match=r'echo\.echo: expected a timeout in seconds, found'):
        caller.request('echo', 'echo.echo', timeout=timeout)
    assert caller.rpc.stats()['connections'] == []


@pytest.mark.parametrize('timeout', [0, -1])
def test_call_without_time_left_is_not_sent(caller, echo, timeout):
    with pytest.raises(Expired, match='no time left for the call'):
        caller.request('echo', 'echo.echo', timeout=timeout)
    assert echo.calls == 0


def test_configured_timeout_is_the_default_of_calls(world, echo):
    caller = world.container(rpc_timeout=0.05)
    with pytest.raises(Timeout, match=r'within 0\.05 s'):
        caller.request('echo', 'echo.wait')
    with pytest.raises(Timeout, match=r'within 0\.02 s'):
        lymph.Proxy(caller, 'echo', timeout=0.02).wait()


def test_a_lookup_takes_no_longer_than_the_call(world, service):
    class Slow(StaticServiceRegistry):
        gate = Event()

        def watch(self, service, namespace):
            self.gate.wait(30)
            super().watch(service, namespace)

    caller = world.container(registry=Slow(world.registry_hub))
    with pytest.raises(Expired, match='the registry did not answer by the deadline'):
        caller.request('echo', 'echo.echo', timeout=0.02)
    Slow.gate.set()
    assert caller.request('echo', 'echo.echo', {'text': 'x'}, timeout=5) == 'x'
