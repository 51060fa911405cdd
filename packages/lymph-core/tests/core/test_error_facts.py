"""The error of a failed call has the facts of the call: method, endpoint, timeout, trace id."""

from __future__ import annotations

import contextvars
import copy
import pickle
from typing import Any, NamedTuple

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core._loop.deadlines import Expirations
from lymph.core._protocol.call_headers import pack_headers
from lymph.core.channels import RequestChannel
from lymph.core.connections import Connection
from lymph.core.messages import EMPTY_MAP, REQ, Message
from lymph.core.services import ServiceInstance
from lymph.core.transport.base import LinkDown
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import (
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

TRACE = 'this-trace'
DEAD = 'memory://dead'


class Echo(lymph.Interface):
    """Fails in every way that a method can fail in."""

    other = lymph.proxy('other')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun = Queue()
        self.traces = []

    @lymph.rpc()
    def wait(self):
        self.traces.append(trace.get_id())
        self.begun.put(True)
        Event().wait(30)

    @lymph.rpc(raises=(ValueError,))
    def declared(self):
        raise ValueError('no good')

    @lymph.rpc()
    def undeclared(self, text=''):
        self.traces.append(trace.get_id())
        raise KeyError(text)

    @lymph.raw_rpc()
    def mute(self, channel):
        channel.detach()

    @lymph.raw_rpc()
    def newer(self, channel):
        channel.nack(reason='a_reason_of_tomorrow')


class Setting:
    """A service, and a container that calls it."""

    def __init__(self, world, spawn):
        self.world, self.spawn = world, spawn
        self.service = world.container((Echo, 'echo'), pool_size=5)
        self.echo = self.service.interfaces[0]
        self.caller = world.container()
        self.proxy = lymph.Proxy(self.caller, self.service.endpoint, 'echo', timeout=5)

    def call(self, method, **options):
        """Call a method of the service at its endpoint, with a timeout of 5 seconds."""
        options.setdefault('timeout', 5)
        options.setdefault('retries', 0)
        self.caller.request(self.service.endpoint, f'echo.{method}', **options)

    def cut_after(self, call):
        """Cut all links as soon as the service has begun to run a call."""

        def cut():
            self.echo.begun.get(timeout=5)
            self.world.network.cut()

        self.spawn(cut)
        call()

    def knowing(self, *endpoints):
        """Return a caller whose registry has instances of `echo` at these endpoints."""
        known = [ServiceInstance(each, each) for each in endpoints]
        return self.world.container(registry=StaticServiceRegistry(services={'echo': known}))

    def fill(self):
        """Make the service run as many handlers as it may."""
        for _ in range(5):
            self.caller.send_request(self.service.endpoint, 'echo.wait', timeout=60)
            self.echo.begun.get(timeout=5)


def overloaded(it):
    it.fill()
    it.call('declared')


def found_by_name(it):
    it.knowing(it.service.endpoint).request('echo', 'echo.wait', timeout=0.05)


def late(it):
    deadlines.set_current(0.0)
    it.call('wait')


def silent_registry(it):
    registry = StaticServiceRegistry()
    registry.watch = lambda *_: gevent.sleep(60)
    it.world.container(registry=registry).request('echo', 'echo.wait', timeout=0.05)


def stopped(it):
    it.caller.stop()
    it.call('wait')


def stopped_by_name(it):
    it.caller.stop()
    it.caller.request('echo', 'echo.wait', timeout=5)


def deferred_and_cut(it):
    deferred = it.proxy.wait.defer()
    it.echo.begun.get(timeout=5)
    it.caller.stop()
    deferred.get(timeout=5)


def deferred_too_late(it):
    it.caller.stop()
    it.proxy.wait.defer().get(timeout=5)


def mapped(it):
    proxy = lymph.Proxy(
        it.caller, it.service.endpoint, 'echo', timeout=5, error_map={'ValueError': ValueError}
    )
    try:
        proxy.declared()
    except ValueError as error:
        raise error.__cause__ from None


def sent_message(it, trace_id=TRACE):
    headers = {'trace_id': trace_id} if trace_id else {}
    message = Message(REQ, 'echo.mute', {}, headers)
    it.caller.send_message(it.service.endpoint, message, timeout=0.05).get(timeout=None)


def sent_message_nowhere(it):
    message = Message(REQ, 'echo.mute', {}, {'trace_id': TRACE, 'more': 'than usual'})
    it.caller.send_message(DEAD, message, timeout=5)


def sent_request(it, timeout, wait):
    it.caller.send_request(it.service.endpoint, 'echo.wait', timeout=timeout).get(timeout=wait)


class Case(NamedTuple):
    """A failure and the facts that its error must have; HERE is the endpoint of the service."""

    fail: Any
    kind: type[RpcError]
    executed: str
    reason: str | None = None
    method: str | None = 'wait'
    endpoint: str | None = 'HERE'
    timeout: float | None = 5


def refused(method, reason, **options):
    fail = lambda it: it.call(method, **options)  # noqa: E731 - a row of the table
    return Case(fail, Refused, 'no', reason, method)


CASES = {
    'no answer': Case(
        lambda it: it.call('wait', timeout=0.05), Timeout, 'maybe', timeout=0.05
    ),
    'no answer, found by name': Case(found_by_name, Timeout, 'maybe', timeout=0.05),
    'the link breaks': Case(
        lambda it: it.cut_after(lambda: it.call('wait')), ConnectionLost, 'maybe'
    ),
    'declared error': Case(
        lambda it: it.call('declared'), RemoteError.ValueError, 'yes', method='declared'
    ),
    'declared error, mapped': Case(mapped, RemoteError, 'yes', method='declared'),
    'undeclared error': Case(
        lambda it: it.call('undeclared'), Failed, 'yes', 'failed', 'undeclared'
    ),
    'unknown method': refused('nothing', 'unknown_method'),
    'unknown version': refused('wait', 'unknown_version', version='7'),
    'invalid arguments': refused('wait', 'invalid_arguments', body={'a': 1}),
    'overloaded': Case(overloaded, Refused, 'no', 'overloaded', 'declared'),
    'a reason of a newer peer': refused('newer', 'a_reason_of_tomorrow'),
    'nobody offers it': Case(
        lambda it: it.caller.request('nobody', 'echo.wait', timeout=5),
        LookupFailure, 'no', endpoint=None,
    ),
    'nobody offers the version': Case(
        lambda it: it.caller.request('echo', 'echo.wait', version='7', timeout=5),
        LookupFailure, 'no', endpoint=None,
    ),
    'nobody listens': Case(
        lambda it: it.caller.request(DEAD, 'echo.wait', timeout=5),
        NotConnected, 'no', endpoint=DEAD,
    ),
    'the only instance is gone': Case(
        lambda it: it.knowing(DEAD).request('echo', 'echo.wait', timeout=5),
        NotConnected, 'no', endpoint=DEAD,
    ),
    'all instances are gone': Case(
        lambda it: it.knowing(DEAD, 'memory://too').request('echo', 'echo.wait', timeout=5),
        NotConnected, 'no', endpoint=None,
    ),
    'an endpoint of another transport': Case(
        lambda it: it.caller.request('tcp://127.0.0.1:1', 'echo.wait', timeout=5),
        NotConnected, 'no', endpoint='tcp://127.0.0.1:1',
    ),
    'no time is left': Case(late, Expired, 'no'),
    'no time is left to connect': Case(
        lambda it: it.call('wait', timeout=1e-9), Expired, 'no', timeout=1e-9
    ),
    'no time is left to connect, found by name': Case(
        lambda it: it.knowing(DEAD).request('echo', 'echo.wait', timeout=1e-9),
        Expired, 'no', endpoint=None, timeout=1e-9,
    ),
    'no time is given': Case(lambda it: it.call('wait', timeout=0), Expired, 'no', timeout=0),
    'no time is given to an interface': Case(
        lambda it: it.echo.request(DEAD, 'echo.wait', timeout=-1),
        Expired, 'no', endpoint=DEAD, timeout=-1,
    ),
    'the registry does not answer': Case(
        silent_registry, Expired, 'no', endpoint=None, timeout=0.05
    ),
    'the caller is stopped': Case(stopped, NotConnected, 'no'),
    'the caller is stopped, by name': Case(stopped_by_name, NotConnected, 'no', endpoint=None),
    'deferred, declared error': Case(
        lambda it: it.proxy.declared.defer().get(timeout=5), RemoteError, 'yes', method='declared'
    ),
    'deferred, cut': Case(deferred_and_cut, ConnectionLost, 'maybe'),
    'deferred, too late': Case(deferred_too_late, NotConnected, 'no'),
    'request, not answered': Case(
        lambda it: sent_request(it, 0.05, None), Timeout, 'maybe', timeout=0.05
    ),
    'request, not waited for': Case(
        lambda it: sent_request(it, 5, 0.05), Timeout, 'maybe', timeout=0.05
    ),
    'request, cut': Case(
        lambda it: it.cut_after(lambda: sent_request(it, 5, 5)), ConnectionLost, 'maybe'
    ),
    'request, nobody listens': Case(
        lambda it: it.caller.send_request(DEAD, 'echo.wait', timeout=5),
        NotConnected, 'no', endpoint=DEAD,
    ),
    'message, not answered': Case(sent_message, Timeout, 'maybe', method='mute', timeout=0.05),
    'message, nobody listens': Case(
        sent_message_nowhere, NotConnected, 'no', method='mute', endpoint=DEAD
    ),
}  # fmt: skip


def facts(error):
    return {
        'type': type(error),
        'text': str(error),
        'subject': error.subject,
        'endpoint': error.endpoint,
        'timeout': error.timeout,
        'trace_id': error.trace_id,
        'executed': error.executed,
        'reason': error.reason,
    }


@pytest.fixture
def setting(world, spawn):
    return Setting(world, spawn)


@pytest.mark.parametrize('name', CASES)
def test_error_has_the_facts_of_its_call(setting, name):
    case = CASES[name]

    def fail():
        trace.set_id(TRACE)
        case.fail(setting)

    with pytest.raises(case.kind) as caught:
        contextvars.copy_context().run(fail)
    error = caught.value
    assert (error.executed, error.reason) == (case.executed, case.reason)
    assert error.subject == f'echo.{case.method}'
    here = case.endpoint == 'HERE'
    assert error.endpoint == (setting.service.endpoint if here else case.endpoint)
    assert error.timeout == pytest.approx(case.timeout)
    assert error.trace_id == TRACE
    for again in (copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))):
        assert facts(again(error)) == facts(error)


def test_error_has_the_trace_id_that_was_made_for_its_call(setting):
    with pytest.raises(Failed) as caught:
        contextvars.Context().run(setting.call, 'undeclared')
    assert setting.echo.traces == [caught.value.trace_id]


def test_errors_of_all_attempts_have_one_trace_id(setting, spawn):
    def cut_each_try():
        while True:
            setting.echo.begun.get(timeout=5)
            setting.world.network.cut()

    spawn(cut_each_try)
    with pytest.raises(ConnectionLost) as caught:
        contextvars.Context().run(
            setting.caller.request,
            setting.service.endpoint,
            'echo.wait',
            timeout=5,
            idempotent=True,
        )
    assert len(setting.echo.traces) == 3
    assert set(setting.echo.traces) == {caught.value.trace_id}


def test_message_without_a_trace_id_fails_without_one(setting):
    with pytest.raises(Timeout) as caught:
        sent_message(setting, trace_id=None)
    assert caught.value.trace_id is None


def test_concurrent_lookups_fail_with_separate_errors(world, spawn):
    registry = StaticServiceRegistry()
    watch, go_on = registry.watch, Event()
    registry.watch = lambda *arguments: (go_on.wait(5), watch(*arguments))
    caller = world.container(registry=registry)
    calls = [spawn(caller.request, 'nobody', f'nobody.{name}', timeout=5) for name in 'abc']
    gevent.sleep(1e-6)
    go_on.set()
    errors = []
    for call in calls:
        with pytest.raises(LookupFailure) as caught:
            call.get(timeout=5)
        errors.append(caught.value)
    assert [error.subject for error in errors] == ['nobody.a', 'nobody.b', 'nobody.c']
    assert {error.service for error in errors} == {'nobody'}


def test_missing_event_is_a_timeout_that_names_its_seconds(setting):
    with pytest.raises(Timeout) as caught:
        setting.echo.get_next_event('nothing', timeout=0.01)
    assert caught.value.timeout == 0.01


def test_connection_that_does_not_come_up_names_its_endpoint(setting):
    connection = setting.caller.connect(DEAD)
    with pytest.raises(NotConnected) as caught:
        connection.wait_up(deadline=0)
    assert caught.value.endpoint == DEAD


class DownLink:
    """A link that is up until something is sent."""

    up, stage = True, ''

    def connect(self, endpoint, handler):
        return self

    def send(self, frames):
        raise LinkDown('gone')

    def close(self, reason):
        pass


def test_link_that_is_down_when_something_is_sent_names_the_call():
    expirations = Expirations()
    connection = Connection('memory://1', DownLink(), expirations, lambda *_: None, lambda *_: None)
    headers = pack_headers('f' * 32, 3.0, None)
    with pytest.raises(NotConnected, match='gone') as caught:
        connection.request(b'id', b'echo.wait', headers, EMPTY_MAP, 1e9, 3.0)
    expected = {'subject': 'echo.wait', 'endpoint': 'memory://1', 'timeout': 3.0}
    assert caught.value.facts == {**expected, 'trace_id': 'f' * 32}
    expirations.close()


class Unread:
    """A connection whose peer reads nothing."""

    endpoint, heard, thread = 'memory://1', 0, 0

    def expired(self, channel, error):
        self.error = error


def test_peer_that_reads_nothing_is_named_with_the_call():
    connection = Unread()
    channel = RequestChannel(b'id', b'echo.wait', EMPTY_MAP, connection, 3.0)
    channel.sending = gevent.getcurrent()
    channel.expire()
    assert isinstance(connection.error, Expired)
    expected = {'subject': 'echo.wait', 'endpoint': 'memory://1', 'timeout': 3.0}
    assert connection.error.facts == {**expected, 'trace_id': None}


def test_error_without_a_call_has_no_facts():
    error = RpcError('?')
    assert error.facts == dict.fromkeys(['subject', 'endpoint', 'timeout', 'trace_id'])
    assert (error.reason, error.executed) == (None, 'maybe')


def test_known_facts_are_not_replaced():
    error = Timeout('late', subject='echo.echo', timeout=1.0)
    error.add_facts(subject='other.other', endpoint='memory://1', timeout=5.0)
    assert (error.subject, error.endpoint, error.timeout) == ('echo.echo', 'memory://1', 1.0)


def test_subclass_without_init_has_the_attributes_too():
    class OwnError(LookupFailure):
        def __init__(self, name):
            self.name = name

    error = OwnError('x')
    assert (error.subject, error.reason) == (None, None)
    error.add_facts(subject='echo.echo')
    assert error.subject == 'echo.echo'
