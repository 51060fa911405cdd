"""Calls count once, by how they ended, and peers cannot make new series."""

from __future__ import annotations

import random
from functools import partial

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._calling.calls import Call
from lymph.core._calling.figures import MOST, MOST_SERVICES, CallFigures, ending
from lymph.core._loop import deadlines
from lymph.core._monitoring.call_log import CallLog
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.core.messages import Message
from lymph.core.transport.base import MessageTooLong
from lymph.exceptions import (
    Cancelled,
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    NotConnected,
    Refused,
    RemoteError,
    RpcError,
    Timeout,
)
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    """A service with methods for several outcomes."""

    def on_start(self):
        self.begun, self.gate = Queue(), Event()

    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc(raises=(ValueError,))
    def declared(self):
        raise ValueError('no good')

    @lymph.rpc()
    def broken(self):
        raise KeyError('broken')

    @lymph.rpc()
    def wait(self):
        self.begun.put(True)
        self.gate.wait(30)


class Busy(lymph.Interface):
    """Refuses its first calls, as an instance does that is overloaded."""

    refusals = 0

    @lymph.raw_rpc()
    def ask(self, channel):
        if self.refusals:
            self.refusals -= 1
            channel.nack(reason='overloaded', text='busy')
        else:
            channel.ack()


class Cache(lymph.Plugin, lymph.Interceptor):
    """Answers some calls itself, and asks for others."""

    kinds = ('call',)

    def intercept(self, work, proceed):
        if work.name == 'echo.cached':
            return 'cached'
        if work.name == 'echo.forbidden':
            raise PermissionError
        return proceed()


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo'), (Busy, 'busy'))


@pytest.fixture
def caller(world, service):
    caller = world.container()
    caller.request('echo', 'echo.echo', timeout=30)
    for method in ('declared', 'broken'):  # the caller learns that they exist
        with pytest.raises(RpcError):
            caller.request('echo', f'echo.{method}')
    return caller


def finished(container):
    """Return the number of calls by service, method, outcome and reason; zeros are left out."""
    return {
        (tags['service'], tags['method'], tags['outcome'], tags['reason']): value
        for name, value, tags in container.metrics
        if name == 'calls.finished' and value
    }


def changed(container, before):
    """Return the difference of `finished` to an earlier answer."""
    now = finished(container)
    return {key: now[key] - before.get(key, 0) for key in now if now[key] != before.get(key, 0)}


def value(container, name, **tags):
    """Return the sum of a metric over all series that have these tags."""
    return sum(
        value
        for known, value, found in container.metrics
        if known == name and tags.items() <= found.items()
    )


def nothing_runs(container):
    return value(container, 'calls.running') == 0


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (RemoteError.ValueError('x'), ('error', '')),
        (Failed('x'), ('nack', 'failed')),
        (Refused('x', 'overloaded'), ('nack', 'overloaded')),
        (Refused('x', 'of a newer version'), ('nack', 'other')),
        (Expired('x'), ('expired', '')),
        (Timeout('x'), ('timeout', '')),
        (LookupFailure('x'), ('lookup_failure', '')),
        (NotConnected('x'), ('not_connected', '')),
        (ConnectionLost('x'), ('connection_lost', '')),
        (RpcError('x'), ('other', '')),
        (KeyError('x'), ('other', '')),
        (Cancelled('given up'), ('cancelled', '')),
        (gevent.GreenletExit(), ('cancelled', '')),
        (gevent.Timeout(1), ('cancelled', '')),
    ],
)
def test_each_error_has_its_outcome(error, expected):
    assert ending(error) == expected


@pytest.mark.parametrize(
    ('method', 'arguments', 'error', 'expected'),
    [
        ('echo', {'text': 'x'}, None, ('echo', 'echo.echo', 'ok', '')),
        ('echo', {'x': 1}, Refused, ('echo', 'echo.echo', 'nack', 'invalid_arguments')),
        ('declared', {}, RemoteError.ValueError, ('echo', 'echo.declared', 'error', '')),
        ('broken', {}, Failed, ('echo', 'echo.broken', 'nack', 'failed')),
        ('missing', {}, Refused, ('echo', 'other', 'nack', 'unknown_method')),
    ],
)
def test_a_call_counts_by_its_outcome(caller, method, arguments, error, expected):
    before = finished(caller)
    counted = value(caller, 'calls.duration.count', service='echo', method=expected[1])
    if error is None:
        caller.request('echo', f'echo.{method}', arguments)
    else:
        with pytest.raises(error):
            caller.request('echo', f'echo.{method}', arguments)
    assert changed(caller, before) == {expected: 1}
    after = value(caller, 'calls.duration.count', service='echo', method=expected[1])
    assert after == counted + 1
    assert nothing_runs(caller)


def test_all_ways_of_calling_count_once(caller, service):
    before = finished(caller)
    interface = lymph.Proxy(caller, 'echo')
    interface.echo(text='x')
    interface.echo.defer(text='x').get()
    caller.request('echo', 'echo.echo', {'text': 'x'})
    caller.send_request('echo', 'echo.echo', {'text': 'x'}).get()
    caller.send_message('echo', Message(Message.REQ, 'echo.echo', {'text': 'x'})).get()
    assert changed(caller, before) == {('echo', 'echo.echo', 'ok', ''): 5}
    assert nothing_runs(caller)


def test_calls_count_once_within_interceptors(caller):
    caller.install_plugin(Cache)
    before = finished(caller)
    caller.request('echo', 'echo.echo')
    assert caller.request('echo', 'echo.cached') == 'cached'
    with pytest.raises(PermissionError):
        caller.request('echo', 'echo.forbidden')
    with pytest.raises(RemoteError):
        caller.request('echo', 'echo.declared')
    assert changed(caller, before) == {
        ('echo', 'echo.echo', 'ok', ''): 1,
        ('echo', 'echo.cached', 'ok', ''): 1,
        ('other', 'other', 'other', ''): 1,
        ('echo', 'echo.declared', 'error', ''): 1,
    }
    assert nothing_runs(caller)


@pytest.mark.parametrize('kind', ['call', 'try'])
def test_the_duration_includes_that_of_interceptors(caller, kind):
    class Slow(lymph.Plugin, lymph.Interceptor):
        kinds = (kind,)

        def intercept(self, work, proceed):
            if work.name == 'echo.echo':
                proceed()
            gevent.sleep(0.02)
            return 'answered'

    def durations(method):
        return value(caller, 'calls.duration.sum', service='echo', method=method)

    caller.install_plugin(Slow)
    for method in ('echo.echo', 'echo.cached'):
        before = durations(method)
        assert caller.request('echo', method, timeout=30) == 'answered'
        assert 0.02 <= durations(method) - before < 10


@pytest.mark.parametrize('refusals', [1, 3])
def test_a_call_that_is_retried_counts_once(caller, service, refusals):
    service.interfaces[1].refusals = refusals
    before = finished(caller)
    if refusals == 1:
        caller.request('busy', 'busy.ask', timeout=30)
    else:
        with pytest.raises(Refused):
            caller.request('busy', 'busy.ask', timeout=30)
    outcome = ('ok', '') if refusals == 1 else ('nack', 'overloaded')
    assert changed(caller, before) == {('busy', 'busy.ask', *outcome): 1}
    assert value(caller, 'calls.retries') == min(refusals, 2)


@pytest.mark.parametrize('way', ['request', 'send_request', 'send_message'])
def test_an_expired_call_counts_as_timeout(caller, service, way):
    def sent_and_awaited(*args, **options):
        return caller.send_request(*args, **options).get(None)

    before = finished(caller)
    if way == 'send_message':
        channel = caller.send_message('echo', Message(Message.REQ, 'echo.wait', {}), timeout=0.05)
        eventually(lambda: nothing_runs(caller))  # nobody waits for the reply
        with pytest.raises(Timeout):
            channel.get(None)
    else:
        call = caller.request if way == 'request' else sent_and_awaited
        with pytest.raises(Timeout):
            call('echo', 'echo.wait', timeout=0.05)
    service.interfaces[0].gate.set()
    assert changed(caller, before) == {('echo', 'other', 'timeout', ''): 1}
    assert nothing_runs(caller)


@pytest.mark.parametrize('way', ['request', 'send_request', 'defer'])
def test_a_call_that_is_given_up_or_cut_counts(caller, service, spawn, way):
    before, echo = finished(caller), service.interfaces[0]
    if way == 'request':
        greenlet = spawn(caller.request, 'echo', 'echo.wait', timeout=30)
        echo.begun.get(timeout=5)
        assert value(caller, 'calls.running') == 1
        greenlet.kill()
    elif way == 'send_request':
        channel = caller.send_request('echo', 'echo.wait', timeout=30)
        echo.begun.get(timeout=5)
        assert value(caller, 'calls.running') == 1
        channel.cancel()
        channel.cancel()
    else:
        lymph.Proxy(caller, 'echo', timeout=30).wait.defer()
        echo.begun.get(timeout=5)
        assert value(caller, 'calls.running') == 1
        caller.stop()
    echo.gate.set()
    expected = {('echo', 'other', 'connection_lost' if way == 'defer' else 'cancelled', ''): 1}
    eventually(lambda: changed(caller, before) == expected)
    assert nothing_runs(caller)


def test_a_lost_connection_ends_requests_that_nobody_waits_for(caller, service):
    before = finished(caller)
    caller.send_request('echo', 'echo.wait', timeout=30)
    service.interfaces[0].begun.get(timeout=5)
    service.stop()
    expected = {('echo', 'other', 'nack', 'failed'), ('echo', 'other', 'connection_lost', '')}
    eventually(lambda: nothing_runs(caller))
    (found,) = changed(caller, before).items()
    assert found[0][2:] in {each[2:] for each in expected}
    assert found[1] == 1


def test_calls_that_are_never_sent_count(caller):
    before = finished(caller)
    with pytest.raises(LookupFailure):
        caller.request('nowhere', 'nowhere.run')
    with pytest.raises(NotConnected):
        caller.request('memory://nowhere', 'echo.echo')
    with pytest.raises(LookupFailure):
        caller.send_request('nowhere', 'nowhere.run')
    assert changed(caller, before) == {
        ('other', 'other', 'lookup_failure', ''): 2,
        ('endpoint', 'other', 'not_connected', ''): 1,
    }
    assert nothing_runs(caller)


@pytest.mark.parametrize('way', ['request', 'send_request', 'within interceptors'])
def test_a_call_without_time_counts_as_expired(world, service, caller, way):
    class Late(lymph.Interface):
        @lymph.rpc()
        def call(self):
            while left := deadlines.remaining(60):
                gevent.sleep(left)
            call = caller.send_request if way == 'send_request' else caller.request
            call('echo', 'echo.echo')

    late = world.container((Late, 'late'))
    if way == 'within interceptors':
        caller.install_plugin(Cache)
    before = finished(caller)
    late.request('late', 'lymph.ping', timeout=30)  # connects
    with pytest.raises(RpcError):
        late.request('late', 'late.call', timeout=0.2)
    expected = {('echo', 'echo.echo', 'expired', ''): 1}
    eventually(lambda: changed(caller, before) == expected)
    assert nothing_runs(caller)


def test_a_message_that_is_too_long_counts_as_other(world, service):
    caller = world.container(max_message_size=2000)
    with pytest.raises(MessageTooLong):
        caller.request('echo', 'echo.echo', {'text': 'x' * 5000})
    assert finished(caller) == {('echo', 'other', 'other', ''): 1}


def test_endpoints_share_one_service(world, service, caller):
    second = world.container((Echo, 'second'))
    before = finished(caller)
    for container, name in ((service, 'echo'), (second, 'second')):
        caller.request(container.endpoint, 'lymph.ping')
        caller.request(container.endpoint, f'{name}.echo')
    assert changed(caller, before) == {
        ('endpoint', 'lymph.ping', 'ok', ''): 2,
        ('endpoint', 'echo.echo', 'ok', ''): 1,
        ('endpoint', 'second.echo', 'ok', ''): 1,
    }


def test_names_that_nobody_has_make_no_series(caller):
    series = len(list(caller.metrics))
    for number in range(20):
        with pytest.raises(LookupFailure):
            caller.request(f'service{number}', 'x.y')
        with pytest.raises(Refused):
            caller.request('echo', f'echo.method{number}')
    first = len(list(caller.metrics))
    assert first > series  # those of the tag `other`
    with pytest.raises(LookupFailure):
        caller.request('one more', 'x.y')
    with pytest.raises(Refused):
        caller.request('echo', 'echo.more')
    assert len(list(caller.metrics)) == first


def test_the_tables_are_bounded():
    figures = CallFigures(CallLog())
    for number in range(MOST + 100):
        call = Call(f'service{number}', b'a.b', b'', 1.0, DEFAULT_OPTIONS)
        call.known = 1
        figures.begun += 2
        figures.succeeded(call, call.deadline)
        figures.failed(call, Timeout(), call.deadline)
        call = Call(f'missing{number}', b'a.b', b'', 1.0, DEFAULT_OPTIONS)
        figures.begun += 1
        figures.failed(call, LookupFailure(), call.deadline)
    services = {tags.get('service') for _, _, tags in figures}
    assert len(services) <= MOST + MOST_SERVICES + 3
    assert len(list(figures)) < (MOST + MOST_SERVICES + 10) * 30
    samples = list(figures)
    assert sum(v for name, v, _ in samples if name == 'calls.finished') == 3 * (MOST + 100)
    assert sum(v for name, v, _ in samples if name == 'calls.duration.count') == 3 * (MOST + 100)
    assert ('calls.running', 0, {}) in samples


def test_the_duration_is_that_of_the_whole_call_and_names_its_trace():
    figures = CallFigures(CallLog())
    call = Call('echo', b'echo.echo', b'', 2.0, CallOptions(trace_id='trace'))
    figures.succeeded(call, call.deadline - 2.0 + 0.3)
    (total,) = [value for name, value, _ in figures if name == 'calls.duration.sum']
    assert total == pytest.approx(0.3)
    found = {
        tags['le']: value.exemplar
        for name, value, tags in figures
        if name == 'calls.duration.bucket' and value.exemplar
    }
    assert list(found) == ['0.5']
    assert found['0.5'].trace_id == 'trace'
    assert found['0.5'].value == pytest.approx(0.3)


def test_the_durations_of_both_sides_name_the_same_trace(world, service, caller):
    trace.set_id('of-both-sides')
    try:
        caller.request('echo', 'echo.echo')
    finally:
        trace._trace_id.set(None)
    for container, name in ((caller, 'calls.duration.bucket'), (service, 'rpc.duration.bucket')):
        named = {
            value.exemplar.trace_id
            for known, value, _ in container.metrics
            if known == name and value.exemplar
        }
        assert 'of-both-sides' in named


def test_each_call_counts_once_whatever_becomes_of_it(world, service, caller, spawn):
    chance = random.Random(7)
    before = sum(finished(caller).values())

    def sent(*args, **options):
        channel = caller.send_request(*args, **options)
        if chance.random() < 0.5:
            channel.get(None)

    ways = (caller.request, sent, lambda *a, **k: caller.defer(partial(caller.request, *a, **k)))
    calls = []
    for _ in range(300):
        method = chance.choice(('echo', 'declared', 'broken', 'missing', 'wait'))
        address = chance.choice(('echo', service.endpoint, 'nowhere', 'memory://nowhere'))
        timeout = chance.choice((0.01, 0.2))
        calls.append(spawn(chance.choice(ways), address, f'echo.{method}', timeout=timeout))
        if chance.random() < 0.3:
            gevent.sleep(0)
            calls[chance.randrange(len(calls))].kill(block=False)
    gevent.joinall(calls, timeout=10)
    eventually(lambda: nothing_runs(caller))
    service.interfaces[0].gate.set()
    counted = sum(finished(caller).values()) - before
    assert 150 < counted <= 300  # some were killed before they began
    assert counted == value(caller, 'calls.duration.count') - before
