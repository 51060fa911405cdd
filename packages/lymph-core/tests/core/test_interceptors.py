"""Interceptors around calls, events and tasks: what they see, what they change, what they hear."""

from __future__ import annotations

import contextlib
import time

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core.failures import Killed
from lymph.core.messages import Message
from lymph.exceptions import (
    EventRejected,
    Expired,
    Failed,
    LookupFailure,
    Refused,
    RemoteError,
    SerializationError,
)
from lymph.patterns.serial_events import serial_event
from lymph.serializers.msgpack import pack
from lymph.testing.waiting import eventually


class Recorder(lymph.Plugin, lymph.Interceptor):
    """Records the units of work that pass it and how they end."""

    def __init__(self, container, config=None):
        super().__init__(container, config)
        self.works = []
        self.heard = []

    def intercept(self, work, proceed):
        self.works.append(work)
        try:
            result = proceed()
        except BaseException as error:
            self.heard.append((work.kind, work.name, type(error).__name__))
            raise
        self.heard.append((work.kind, work.name, result))
        return result

    def of(self, kind):
        return [outcome for each, _, outcome in self.heard if each == kind]

    def last(self, kind):
        return [work for work in self.works if work.kind == kind][-1]


class Stock(lymph.Interface):
    """A service with a way to every outcome."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gate = Event()
        self.begun = Queue()
        self.seen = []

    @lymph.rpc(raises=(ValueError,))
    def take(self, n=1, how=''):
        self.seen.append(n)
        if how == 'declared':
            raise ValueError('no good')
        if how == 'undeclared':
            raise KeyError('secret')
        if how == 'exit':
            raise SystemExit(3)
        if how == 'wait':
            self.begun.put(True)
            self.gate.wait(30)
        if how == 'nested':
            raise Refused('by another', 'overloaded')
        if how == 'odd':
            return object()
        return n

    @lymph.rpc(idempotent=True)
    def look(self):
        return 'seen'

    @lymph.rpc(cancel=True)
    def willing(self):
        self.begun.put(True)
        self.gate.wait(30)

    @lymph.raw_rpc()
    def raw(self, channel, answer=True):
        if answer:
            channel.reply('raw')

    @lymph.event('order.paid', retry=0)
    def on_paid(self, event):
        self.seen.append(dict(event.body))
        how = event.get('how')
        if how == 'wait':
            self.begun.put(True)
            self.gate.wait(30)
        elif how:
            raise {'error': KeyError, 'rejected': EventRejected, 'exit': SystemExit}[how](how)

    @lymph.task()
    def pack(self, n=0):
        self.seen.append(('packed', n))


@pytest.fixture
def service(world):
    return world.container((Stock, 'stock'), start=False)


@pytest.fixture
def stock(service):
    return service.interfaces[0]


@pytest.fixture
def inside(service):
    """A recorder in the service."""
    recorder = service.install_plugin(Recorder)
    service.start()
    return recorder


@pytest.fixture
def caller(world, service):
    return world.container(start=False)


@pytest.fixture
def outside(caller):
    """A recorder in the caller."""
    recorder = caller.install_plugin(Recorder)
    caller.start()
    return recorder


def plugin(intercept, kinds=('rpc',), builtin=False):
    """Return a plugin class with this function as its `intercept`."""
    names = {
        'kinds': kinds,
        'builtin': builtin,
        'intercept': lambda self, work, proceed: intercept(work, proceed),
    }
    return type('Made', (lymph.Plugin, lymph.Interceptor), names)


def request(caller, subject='stock.take', *, timeout=30, **arguments):
    return caller.request('stock', subject, arguments, timeout=timeout)


def outcome_of(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return type(error).__name__


# What they hear.


@pytest.mark.parametrize(
    ('arguments', 'service_hears', 'caller_hears'),
    [
        ({'n': 5}, 5, 5),
        ({'how': 'declared'}, 'ValueError', 'ValueError'),
        ({'how': 'undeclared'}, 'KeyError', 'Failed'),
        ({'how': 'exit'}, 'SystemExit', 'Failed'),
        ({'how': 'nested'}, 'Refused', 'Failed'),
        ({'wrong': 1}, 'Refused', 'Refused'),
    ],
)
def test_interceptors_on_both_sides_see_the_outcome_of_a_call(
    caller, inside, outside, arguments, service_hears, caller_hears
):
    assert outcome_of(request, caller, **arguments) == caller_hears
    assert inside.of('rpc') == [service_hears]
    assert outside.of('call') == outside.of('try') == [caller_hears]


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (Message(Message.REQ, 'stock.take', {}, {'timeout': -1.0}), 'expired'),
        (Message(Message.REQ, 'stock.take', packed_body=b'\xc1'), 'malformed'),
        (Message(Message.REQ, 'stock.take', [1]), 'malformed'),
        (Message(Message.REQ, 'stock.take', {'wrong': 1}), 'invalid_arguments'),
    ],
)
def test_service_interceptors_see_requests_whose_method_is_not_called(
    caller, outside, inside, stock, message, reason
):
    reply = caller.send_message('stock', message).get(30)
    assert (reply.type, reply.headers['reason']) == (Message.NACK, reason)
    assert inside.of('rpc') == ['Refused']
    assert stock.seen == []


def test_interceptors_see_the_kill_of_a_handler_and_cannot_swallow_it(
    caller, service, stock, spawn
):
    def swallow(work, proceed):
        with contextlib.suppress(BaseException):
            proceed()
        return 'swallowed'

    recorder = service.install_plugin(Recorder)
    service.install_plugin(plugin(swallow))
    service.start()
    caller.start()
    call = spawn(outcome_of, request, caller, how='wait')
    assert stock.begun.get(timeout=30)
    assert service.stop() == 1
    assert call.get(timeout=30) in ('Failed', 'ConnectionLost')
    assert recorder.of('rpc') == ['Killed']


def test_kill_of_an_interceptor_that_waits_is_a_stop_and_no_error(service, caller, spawn):
    waiting = Event()

    def wait(work, proceed):
        waiting.set()
        Event().wait(30)

    told = []
    service.error_hook.install(lambda error, **details: told.append(error))
    recorder = service.install_plugin(Recorder)
    service.install_plugin(plugin(wait))
    service.start()
    caller.start()
    spawn(outcome_of, request, caller)
    assert waiting.wait(30)
    assert service.stop() == 1
    assert recorder.of('rpc') == ['Killed']
    assert told == []


def test_interceptors_on_both_sides_see_that_a_call_is_cancelled(caller, inside, outside, stock):
    assert outcome_of(request, caller, 'stock.willing', timeout=0.05) == 'Timeout'
    eventually(lambda: inside.of('rpc') == ['Cancelled'])
    greenlet = gevent.spawn(outcome_of, request, caller, 'stock.willing')
    for _ in range(2):
        assert stock.begun.get(timeout=30)
    greenlet.kill(timeout=30)
    eventually(lambda: inside.of('rpc') == ['Cancelled'] * 2)
    assert outside.of('call') == outside.of('try') == ['Timeout', 'GreenletExit']


def test_caller_interceptors_see_a_timeout_and_a_lost_connection(
    caller, outside, inside, stock, world, spawn
):
    assert outcome_of(request, caller, how='wait', timeout=0.05) == 'Timeout'
    call = spawn(outcome_of, request, caller, how='wait')
    assert stock.begun.get(timeout=30)
    assert stock.begun.get(timeout=30)
    for link in list(world.network.links):
        link.close('cut')
    assert call.get(timeout=30) == 'ConnectionLost'
    assert outside.of('call') == outside.of('try') == ['Timeout', 'ConnectionLost']


def test_caller_interceptors_see_that_no_time_is_left(caller, outside, inside):
    def late():
        deadlines.set_current(0.0)
        return request(caller)

    assert gevent.spawn(outcome_of, late).get(timeout=30) == 'Expired'
    assert outside.of('call') == ['Expired']
    assert outside.of('try') == []


def test_caller_interceptors_see_that_there_is_no_instance(caller, outside):
    with pytest.raises(LookupFailure):
        caller.request('nowhere', 'nowhere.at_all', timeout=30)
    assert outside.of('call') == outside.of('try') == ['LookupFailure']
    assert outside.last('try').peer is None


def test_caller_interceptors_see_arguments_that_cannot_be_sent(caller, outside, inside, stock):
    with pytest.raises(SerializationError):
        request(caller, n=object())
    assert outside.of('call') == ['SerializationError']
    assert outside.of('try') == []


@pytest.mark.parametrize('kind', [Killed, gevent.Timeout, gevent.GreenletExit])
def test_caller_interceptors_see_what_is_thrown_into_the_waiting_caller(
    caller, outside, inside, stock, kind
):
    greenlet = gevent.spawn(outcome_of, request, caller, how='wait')
    assert stock.begun.get(timeout=30)
    greenlet.kill(kind, timeout=30)
    assert outside.of('call') == outside.of('try') == [kind.__name__]
    stock.gate.set()


@pytest.mark.parametrize(
    ('payload', 'heard'),
    [
        ({'n': 1}, None),
        ({'how': 'error'}, 'KeyError'),
        ({'how': 'rejected'}, 'EventRejected'),
        ({'how': 'exit'}, 'SystemExit'),
    ],
)
def test_events_are_intercepted_when_emitted_and_when_handled(
    caller, outside, inside, payload, heard
):
    caller.emit_event('order.paid', payload, source='shop')
    eventually(lambda: inside.of('event') == [heard])
    assert outside.of('emit') == [None]
    work = inside.last('event')
    assert (work.name, work.interface, work.peer) == ('stock.on_paid', 'stock', 'shop')
    assert (work.attempt, work.arguments) == (1, payload)
    assert work.event.type == 'order.paid'
    assert work.trace_id == outside.last('emit').trace_id == work.headers['trace_id']


def test_interceptors_see_the_kill_of_an_event_handler(caller, outside, inside, service, stock):
    caller.emit_event('order.paid', {'how': 'wait'})
    assert stock.begun.get(timeout=30)
    assert service.stop() == 1
    assert inside.of('event') == ['Killed']


def test_interceptors_see_that_an_emission_is_refused(caller, outside):
    with pytest.raises(ValueError, match='not a type'):
        caller.emit_event('not a type', {})
    assert outside.of('emit') == ['ValueError']


def test_tasks_are_intercepted_when_queued_and_when_run(world):
    service = world.container((Stock, 'stock'), start=False)
    queued = service.install_plugin(Recorder)
    service.start()
    worker = world.container((Stock, 'stock'), start=False, worker=True)
    ran = worker.install_plugin(Recorder)
    worker.start()
    service.interfaces[0].pack.apply(n=3)
    eventually(lambda: ran.heard == [('task', 'stock.pack', None)])
    assert queued.heard == [('emit', 'lymph.task.stock.pack', None)]
    assert ran.last('task').arguments == {'n': 3}


def test_serial_events_are_intercepted_once_as_they_were_emitted(world):
    class Serial(lymph.Interface):
        @serial_event('order.#', key=lambda self, event: event['n'])
        def ship(self, event):
            event.body['shipped'] = True

    service = world.container((Serial, 'shop'), start=False)
    recorder = service.install_plugin(Recorder)
    service.start()
    service.emit_event('order.paid', {'n': 1}, headers={'mine': 1})
    eventually(lambda: ('event', 'shop.ship', None) in recorder.heard)
    assert sorted(kind for kind, _, _ in recorder.heard) == ['emit', 'event']
    work = recorder.last('event')
    assert (work.event.type, work.headers['mine']) == ('order.paid', 1)
    assert set(work.headers) == {'mine', 'trace_id'}


def test_handlers_subscribed_at_run_time_are_intercepted(caller, outside, inside, stock):
    @stock.subscribe('order.sent')
    def on_sent(event):
        pass

    caller.emit_event('order.sent')
    eventually(lambda: ('event', 'stock.on_sent', None) in inside.heard)


# What they see.


def test_service_interceptors_see_the_caller_and_the_method(caller, outside, inside):
    trace.set_id('my-trace')
    request(caller, n=2)
    work = inside.last('rpc')
    assert (work.kind, work.name, work.interface) == ('rpc', 'stock.take', 'stock')
    assert work.trace_id == work.headers['trace_id'] == 'my-trace'
    assert 0 < work.headers['timeout'] <= 30
    assert work.deadline is not None
    assert isinstance(work.peer, str)
    assert work.arguments == {'n': 2}


def test_caller_interceptors_see_address_options_endpoint_and_attempt(
    caller, outside, inside, service
):
    request(caller, n=2)
    call, attempt = outside.last('call'), outside.last('try')
    assert (call.name, call.address, call.options.timeout) == ('stock.take', 'stock', 30)
    assert (call.peer, call.interface) == (None, None)
    assert (attempt.peer, attempt.attempt) == (service.endpoint, 1)
    assert attempt.trace_id == call.trace_id == inside.last('rpc').trace_id
    assert attempt.arguments == call.arguments == {'n': 2}


def test_each_attempt_is_intercepted_inside_its_call(world, caller, outside):
    full = [world.container((Stock, 'stock'), pool_size=1) for _ in range(2)]
    for container in full:
        gevent.spawn(outcome_of, caller.request, container.endpoint, 'stock.take', {'how': 'wait'})
        assert container.interfaces[0].begun.get(timeout=30)
    outside.heard.clear()
    outside.works.clear()
    assert outcome_of(request, caller) == 'Refused'
    assert outside.of('try') == ['Refused'] * 3
    assert outside.of('call') == ['Refused']
    attempts = [work for work in outside.works if work.kind == 'try']
    assert [work.attempt for work in attempts] == [1, 2, 3]
    assert {work.peer for work in attempts} == {container.endpoint for container in full}


def test_deferred_calls_are_intercepted(caller, outside, inside):
    proxy = lymph.Proxy(caller, 'stock', timeout=30)
    assert proxy.take.defer(n=7).get(timeout=30) == 7
    assert outside.of('call') == [7]
    assert outside.last('call').arguments == {'n': 7}


# What they change.


def test_arguments_and_result_can_be_changed_on_both_sides(world, service, caller):
    def double(work, proceed):
        work.arguments['n'] *= 2
        return proceed() + 1

    def replace(work, proceed):
        work.arguments = {'n': work.arguments['n'] + 100}
        return proceed() * 10

    service.install_plugin(plugin(double, ['rpc']))
    service.start()
    caller.install_plugin(plugin(replace, ['call']))
    caller.start()
    given = {'n': 1}
    assert caller.request('stock', 'stock.take', given, timeout=30) == (101 * 2 + 1) * 10
    assert given == {'n': 1}


@pytest.mark.parametrize('kind', ['call', 'try'])
def test_packed_arguments_that_are_not_a_mapping_are_rejected_when_read(
    service, stock, caller, kind
):
    def read(work, proceed):
        assert work.arguments is not None
        return proceed()

    service.start()
    caller.install_plugin(plugin(read, [kind]))
    caller.start()
    with pytest.raises(TypeError, match=r'stock\.take: expected the arguments as a mapping'):
        caller.request('stock', 'stock.take', pack([7]), timeout=30)
    assert stock.seen == []


def test_attempt_that_interceptors_delay_past_the_deadline_is_not_sent(service, stock, caller):
    def wait(work, proceed):
        gevent.sleep(work.deadline - time.monotonic())
        return proceed()

    service.start()
    caller.install_plugin(plugin(wait, ['try']))
    caller.start()
    with pytest.raises(Expired, match=r'stock\.take: no time left for the call'):
        request(caller, timeout=0.05)
    assert caller.rpc.stats()['connections'][0]['requests'] == 0


def test_payload_of_an_event_can_be_changed_on_both_sides(service, stock, caller):
    def add(name):
        def intercept(work, proceed):
            work.arguments = {**work.arguments, name: work.kind}
            return proceed()

        return intercept

    service.install_plugin(plugin(add('b'), ['event']))
    service.start()
    caller.install_plugin(plugin(add('a'), ['emit']))
    caller.start()
    given = {'n': 1}
    caller.emit_event('order.paid', given)
    eventually(lambda: stock.seen == [{'n': 1, 'a': 'emit', 'b': 'event'}])
    assert given == {'n': 1}


def test_interceptor_answers_instead_of_the_method(service, stock, caller):
    service.install_plugin(plugin(lambda work, proceed: 'cached'))
    service.start()
    caller.start()
    assert request(caller) == request(caller, 'stock.raw') == 'cached'
    assert stock.seen == []


def test_interceptor_answers_instead_of_the_service(service, stock, caller):
    caller.install_plugin(plugin(lambda work, proceed: 'cached', ['try']))
    caller.start()
    service.start()
    assert request(caller) == 'cached'
    assert stock.seen == []


def test_raw_methods_answer_only_through_their_channel(service, caller):
    service.install_plugin(plugin(lambda work, proceed: proceed() or 'ignored'))
    service.start()
    caller.start()
    assert request(caller, 'stock.raw') == 'raw'
    with pytest.raises(Failed, match='without an answer'):
        request(caller, 'stock.raw', answer=False)


def test_error_can_be_replaced_by_a_declared_error_or_a_result(service, caller):
    def replace(work, proceed):
        try:
            return proceed()
        except KeyError:
            raise ValueError('declared') from None
        except ValueError:
            return 'fine'

    service.install_plugin(plugin(replace))
    service.start()
    caller.start()
    with pytest.raises(RemoteError.ValueError, match='declared'):
        request(caller, how='undeclared')
    assert request(caller, how='declared') == 'fine'


def test_interceptors_see_no_failure_when_the_result_cannot_be_sent(inside, caller, outside):
    with pytest.raises(Failed):
        request(caller, how='odd')
    assert [type(result) for result in inside.of('rpc')] == [object]


# Headers.


def test_headers_are_sent_with_requests_and_replies(service, caller):
    seen = {}

    def serve(work, proceed):
        seen['request'] = work.headers.get('user')
        work.reply_headers['cache'] = ['hit', 1]
        return proceed()

    def call(work, proceed):
        if work.kind == 'call':
            work.headers['user'] = 'ada'
            assert dict(work.reply_headers) == {}
        else:
            seen['try'] = dict(work.headers)
            work.headers['number'] = work.attempt
        try:
            return proceed()
        finally:
            seen[work.kind] = seen.get(work.kind), work.reply_headers.get('cache')

    service.install_plugin(plugin(serve))
    service.start()
    caller.install_plugin(plugin(call, ['call', 'try']))
    caller.start()
    assert request(caller, n=1) == 1
    expected = {
        'request': 'ada',
        'call': (None, ['hit', 1]),
        'try': ({'user': 'ada'}, ['hit', 1]),
    }
    assert seen == expected
    for arguments in ({'how': 'declared'}, {'how': 'undeclared'}, {'wrong': 1}):
        seen.clear()
        outcome_of(request, caller, **arguments)
        assert seen == expected, arguments


def test_headers_of_one_attempt_are_not_sent_with_the_next(world, caller):
    sent = []

    def serve(work, proceed):
        sent.append(work.headers.get('number'))
        raise Refused('try another', 'overloaded')

    def number(work, proceed):
        work.headers['number'] = None if 'number' in work.headers else work.attempt
        return proceed()

    container = world.container((Stock, 'stock'), start=False)
    container.install_plugin(plugin(serve))
    container.start()
    caller.install_plugin(plugin(number, ['try']))
    caller.start()
    assert outcome_of(request, caller) == 'Refused'
    assert sent == [1, 2, 3]


def test_arguments_changed_in_one_attempt_are_not_sent_with_the_next(world, caller):
    sent = []

    def serve(work, proceed):
        sent.append(work.arguments)
        raise Refused('try another', 'overloaded')

    def change(work, proceed):
        if work.attempt == 2:
            work.arguments['n'] += 10
        return proceed()

    container = world.container((Stock, 'stock'), start=False)
    container.install_plugin(plugin(serve))
    container.start()
    caller.install_plugin(plugin(change, ['try']))
    caller.start()
    assert outcome_of(request, caller, n=1) == 'Refused'
    assert sent == [{'n': 1}, {'n': 11}, {'n': 1}]


def test_method_is_recognised_as_idempotent_if_interceptors_add_reply_headers(
    service, stock, caller
):
    def serve(work, proceed):
        work.reply_headers['x'] = 1
        return proceed()

    service.install_plugin(plugin(serve))
    service.start()
    caller.start()
    request(caller, 'stock.look')
    request(caller, 'stock.take')
    assert caller.rpc._idempotent == {('stock', b'stock.look')}


def test_headers_of_a_request_cannot_be_set_in_the_service(inside, caller, outside):
    request(caller)
    with pytest.raises(TypeError, match='have arrived'):
        inside.last('rpc').headers['x'] = 1
    with pytest.raises(TypeError, match='have arrived'):
        outside.last('call').reply_headers['x'] = 1


@pytest.mark.parametrize('kinds', [['call'], ['try']])
def test_headers_that_are_too_long_fail_before_anything_is_sent(inside, caller, stock, kinds):
    def fill(work, proceed):
        work.headers['x'] = 'x' * 20_000
        return proceed()

    caller.install_plugin(plugin(fill, kinds))
    caller.start()
    with pytest.raises(ValueError, match="header 'x': expected at most 15360 bytes"):
        request(caller)
    assert stock.seen == inside.heard == []


def test_reply_headers_that_have_become_too_long_are_a_failure(service, caller):
    def fill(work, proceed):
        work.reply_headers['x'] = grown = []
        result = proceed()
        grown.extend(range(20_000))
        return result

    service.install_plugin(plugin(fill))
    service.start()
    caller.start()
    with pytest.raises(Failed):
        request(caller)


def test_handler_gets_the_headers_of_an_event(service, caller, stock):
    seen = []

    def read(work, proceed):
        seen.append((work.headers['user'], work.headers['mine'], work.event.headers['user']))
        return proceed()

    def write(work, proceed):
        work.headers['user'] = 'ada'
        return proceed()

    service.install_plugin(plugin(read, ['event']))
    service.start()
    caller.install_plugin(plugin(write, ['emit']))
    caller.start()
    caller.emit_event('order.paid', {}, headers={'mine': 1})
    eventually(lambda: seen == [('ada', 1, 'ada')])


# Refusing.


@pytest.mark.parametrize(
    ('reason', 'sent'),
    [
        ((), 'forbidden'),
        (('forbidden',), 'forbidden'),
        (('overloaded',), 'overloaded'),
        (('failed',), 'forbidden'),
        (('my own',), 'my own'),
        ((None,), 'forbidden'),
        (('x' * 300,), 'x' * 252 + '...'),
    ],
)
def test_interceptor_may_refuse_a_call_before_its_arguments_are_checked(
    service, stock, caller, reason, sent
):
    def refuse(work, proceed):
        raise lymph.Refused('not you', *reason)

    service.install_plugin(plugin(refuse))
    service.start()
    caller.start()
    with pytest.raises(Refused, match='not you') as caught:
        caller.request('stock', 'stock.take', {'wrong': 1}, timeout=30, retries=0)
    assert caught.value.reason == sent
    assert caught.value.executed == 'no'
    assert stock.seen == []
    counted = {tags['reason'] for name, _, tags in service.metrics if name == 'rpc.refused'}
    assert counted == {sent if sent in ('forbidden', 'overloaded') else 'other'}


@pytest.mark.parametrize('kind', ['call', 'try'])
@pytest.mark.parametrize('reason', [['mine'], 5, None, 'my own'], ids=repr)
def test_refusal_with_any_reason_is_the_outcome_of_a_call(inside, stock, caller, kind, reason):
    def refuse(work, proceed):
        raise Refused('not you', reason)

    caller.install_plugin(plugin(refuse, [kind]))
    caller.start()
    assert outcome_of(request, caller) == 'Refused'
    assert stock.seen == []


def test_refusal_after_the_method_has_run_is_a_failure(service, stock, caller):
    def refuse(work, proceed):
        proceed()
        raise Refused('too late', 'overloaded')

    service.install_plugin(plugin(refuse))
    service.start()
    caller.start()
    assert outcome_of(request, caller) == 'Failed'
    assert stock.seen == [1]


def test_refused_attempt_goes_to_another_instance(world, caller):
    containers = [world.container((Stock, 'stock')) for _ in range(2)]
    refused = containers[0].endpoint

    def avoid(work, proceed):
        if work.peer == refused:
            raise Refused('not there', 'draining')
        return proceed()

    caller.install_plugin(plugin(avoid, ['try']))
    caller.start()
    assert [request(caller, n=n) for n in range(8)] == list(range(8))
    assert containers[0].interfaces[0].seen == []
    # the instance itself has refused nothing, so it is not avoided otherwise
    assert not any(each['state'] != 'up' for each in caller.rpc.stats()['connections'])


def test_attempt_that_ran_is_not_repeated_if_an_interceptor_then_refuses(inside, stock, caller):
    def refuse(work, proceed):
        proceed()
        raise Refused('too late', 'overloaded')

    caller.install_plugin(plugin(refuse, ['try']))
    caller.start()
    assert outcome_of(request, caller) == 'Refused'
    assert stock.seen == [1]


def test_refused_emission_stores_nothing(inside, stock, caller):
    def refuse(work, proceed):
        raise Refused('not that')

    caller.install_plugin(plugin(refuse, ['emit']))
    caller.start()
    with pytest.raises(Refused, match='not that'):
        caller.emit_event('order.paid', {'n': 1})
    caller.chains.remove(caller.components[-1])
    caller.emit_event('order.paid', {'n': 2})
    eventually(lambda: stock.seen == [{'n': 2}])


# Any interceptor.


@pytest.mark.parametrize('kind', [KeyError, SystemExit, GeneratorExit, KeyboardInterrupt])
@pytest.mark.parametrize('when', ['before', 'after'])
def test_error_raised_by_an_interceptor_is_the_outcome(service, stock, caller, kind, when):
    def fail(work, proceed):
        if when == 'after':
            proceed()
        raise kind('oops')

    told = Queue()
    service.install_plugin(plugin(fail, ['rpc', 'event']))
    service.error_hook.install(lambda error, **details: told.put(type(error)))
    service.start()
    caller.start()
    assert outcome_of(request, caller) == 'Failed'
    assert told.get(timeout=30) is kind
    caller.emit_event('order.paid', {})
    assert told.get(timeout=30) is kind


@pytest.mark.parametrize('when', ['before', 'after'])
def test_killed_raised_by_an_interceptor_is_an_ordinary_error(service, caller, when):
    """Nothing is being stopped: the caller is told of a failure, and the operator of its cause."""

    def fail(work, proceed):
        if when == 'after':
            proceed()
        raise Killed

    told = Queue()
    service.install_plugin(plugin(fail, ['rpc', 'event']))
    service.error_hook.install(lambda error, **details: told.put(error))
    service.start()
    caller.start()
    with pytest.raises(Failed, match='RuntimeError'):
        request(caller)
    assert isinstance(told.get(timeout=30).__cause__, Killed)
    caller.emit_event('order.paid', {})
    assert isinstance(told.get(timeout=30).__cause__, Killed)


@pytest.mark.parametrize('kind', [KeyError, SystemExit, GeneratorExit])
def test_error_raised_by_an_interceptor_of_calls_reaches_the_caller(inside, caller, kind):
    def fail(work, proceed):
        proceed()
        raise kind('oops')

    caller.install_plugin(plugin(fail, ['try', 'emit']))
    caller.start()
    assert outcome_of(request, caller) == kind.__name__
    assert outcome_of(caller.emit_event, 'order.paid', {}) == kind.__name__


def test_interceptors_may_call_services_emit_events_and_wait(world, service, stock, caller):
    def audit(work, proceed):
        if work.name != 'stock.take' or work.arguments.get('n') == 99:
            return proceed()
        assert service.request('stock', 'stock.take', {'n': 99}) == 99
        service.emit_event('order.paid', {'audit': True})
        gevent.sleep(0.001)
        assert deadlines.remaining(1000) <= 30
        return proceed()

    service.install_plugin(plugin(audit))
    service.start()
    caller.start()
    assert request(caller, n=1) == 1
    eventually(lambda: stock.seen[0] == 99 and {'audit': True} in stock.seen)


def test_proceeding_twice_runs_the_method_once(service, stock, caller):
    def twice(work, proceed):
        proceed()
        return proceed()

    service.install_plugin(plugin(twice))
    service.start()
    caller.start()
    assert outcome_of(request, caller) == 'Failed'
    assert stock.seen == [1]


# Plugins, interfaces, the built-in interface.


def test_plugins_wrap_the_interface_in_their_configured_order(world):
    journal = []

    def noting(name):
        def intercept(work, proceed):
            journal.append(f'{name} {work.kind}')
            return proceed()

        return intercept

    class Own(Stock, lymph.Interceptor):
        def intercept(self, work, proceed):
            journal.append(f'{self.name} {work.kind}')
            return proceed()

    service = world.container((Own, 'own'), (Stock, 'stock'), start=False)
    twice = plugin(noting('a'), ['rpc', 'event'])
    for cls in (twice, plugin(noting('b'), ['rpc']), twice):
        service.install_plugin(cls)
    service.start()
    service.request('own', 'own.take', timeout=30)
    assert journal == ['a rpc', 'b rpc', 'a rpc', 'own rpc']
    journal.clear()
    service.request('stock', 'stock.take', timeout=30)
    assert journal == ['a rpc', 'b rpc', 'a rpc']
    journal.clear()
    service.emit_event('order.paid')
    eventually(lambda: journal.count('a event') == 4 and journal.count('own event') == 1)


def test_interceptor_interface_without_matching_work_is_not_installed(world):
    class Wrong(Stock, lymph.Interceptor):
        kinds = ('call',)

    with pytest.raises(TypeError, match='that an interface does itself'):
        world.container(Wrong, start=False)


def test_plugin_may_be_installed_while_the_container_runs(service, caller):
    service.start()
    caller.start()
    assert request(caller) == 1
    recorder = service.install_plugin(Recorder)
    assert request(caller, n=3) == 3
    assert recorder.of('rpc') == [3]


def test_plugin_that_fails_to_start_intercepts_nothing(service, caller):
    class Broken(Recorder):
        def on_start(self):
            raise ValueError('no')

    service.start()
    caller.start()
    with pytest.raises(ValueError, match='no'):
        service.install_plugin(Broken)
    assert request(caller) == 1
    assert service.chains.of('rpc').steps == ()


def test_stopped_plugin_is_no_longer_called(service, stock, caller, spawn):
    """The plugin that was added last stops first, while a call of another one still runs."""
    stopped, journal = Event(), []

    class Outer(lymph.Plugin, lymph.Interceptor):
        kinds = ('rpc',)

        def intercept(self, work, proceed):
            stock.begun.put(True)
            stopped.wait(30)
            return proceed()

    class Inner(Outer):
        def intercept(self, work, proceed):
            journal.append('called')
            return proceed()

    service.install_plugin(Outer)
    inner = service.install_plugin(Inner)
    service.start()
    caller.start()
    call = spawn(request, caller)
    assert stock.begun.get(timeout=30)
    service.on_component_stop(inner)
    stopped.set()
    assert call.get(timeout=30) == 1
    assert journal == []


@pytest.mark.parametrize('method', ['ping', 'status', 'inspect', 'get_metrics', 'describe_metrics'])
def test_interceptors_do_not_affect_calls_of_the_built_in_interface(service, caller, method):
    def refuse(work, proceed):
        raise Refused('nobody')

    service.install_plugin(plugin(refuse))
    service.start()
    caller.install_plugin(plugin(refuse, ['call', 'try']))
    caller.start()
    assert outcome_of(request, caller) == 'Refused'
    assert outcome_of(caller.request, service.endpoint, f'lymph.{method}', {}) != 'Refused'


def test_interceptors_may_opt_in_to_calls_of_the_built_in_interface(service, caller):
    class All(Recorder):
        builtin = True

    inside = service.install_plugin(All)
    service.start()
    outside = caller.install_plugin(All)
    caller.start()
    assert caller.request(service.endpoint, 'lymph.ping', {'payload': 5}) == 5
    assert outside.heard == [('try', 'lymph.ping', 5), ('call', 'lymph.ping', 5)]
    assert inside.heard == [('rpc', 'lymph.ping', 5)]


def test_requests_that_get_no_worker_are_counted_and_not_intercepted(inside, caller, outside):
    assert outcome_of(request, caller, 'stock.nothing') == 'Refused'
    assert inside.heard == []


def test_raw_requests_are_not_intercepted_on_the_side_of_the_caller(inside, caller, outside):
    assert caller.send_request('stock', 'stock.take', {'n': 4}).get(30).body == 4
    assert outside.heard == []
    assert inside.of('rpc') == [4]
