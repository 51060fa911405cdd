"""The edges to other people's code: whatever it raises, there is one outcome, at once."""

from __future__ import annotations

import logging

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop.hooks import Hook
from lymph.core.channels import ReplyChannel
from lymph.core.components import Component, Componentized
from lymph.core.failures import Killed, error_name
from lymph.core.messages import Message
from lymph.core.monitoring.metrics import Aggregate, Callable, Gauge
from lymph.exceptions import Failed, RemoteError
from lymph.testing.contracts._events.outcomes import RAISED
from lymph.testing.waiting import eventually

KINDS = [error_name(make()) for make in RAISED]
PATIENCE = 10.0  # seconds; far more than an outcome takes, and so the timeout of calls


class Raising(lymph.Interface):
    """Raises the error that its arguments name."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.channels = Queue()
        self.seen = Queue()

    @lymph.rpc()
    def fail(self, n):
        raise RAISED[n]()

    @lymph.raw_rpc()
    def fail_raw(self, channel, n):
        raise RAISED[n]()

    @lymph.raw_rpc()
    def answer_and_fail(self, channel, n):
        channel.reply('answered')
        raise RAISED[n]()

    @lymph.raw_rpc()
    def detach_and_fail(self, channel, n):
        channel.detach()
        raise RAISED[n]()

    @lymph.rpc(raises=(BaseException,))
    def declared(self, n):
        raise RAISED[n]()

    @lymph.rpc(raises=(BaseException,))
    def wait(self):
        self.seen.put(True)
        gevent.sleep(60)

    @lymph.rpc()
    def ask(self, n):
        with pytest.raises(Failed):
            self.request('raising', 'raising.fail', n=n, timeout=PATIENCE)
        return 'went on'

    @lymph.rpc()
    def echo(self, text):
        return text


@pytest.fixture
def service(world):
    return world.container((Raising, 'raising'))


@pytest.fixture
def caller(world, service):
    return world.container()


@pytest.fixture
def errors(service):
    """The errors that the error hook of the service gets."""
    heard = []
    service.error_hook.install(lambda error, **details: heard.append(type(error).__name__))
    return heard


def call(caller, method, **arguments):
    return caller.request('raising', f'raising.{method}', arguments, timeout=PATIENCE)


# Calls.


@pytest.mark.parametrize('method', ['fail', 'fail_raw', 'detach_and_fail'])
def test_whatever_a_method_raises_is_logged_and_sent_as_a_failure(
    method, caller, service, errors, caplog
):
    for n, kind in enumerate(KINDS):
        with pytest.raises(Failed, match=kind) as failed:
            call(caller, method, n=n)
        assert failed.value.executed == 'yes'
    assert errors == KINDS
    failures = [r for r in caplog.records if r.getMessage() == f'raising.{method} failed']
    assert len(failures) == len(KINDS)
    assert call(caller, 'echo', text='alive') == 'alive'
    assert service.workers.running == 0


def test_error_after_the_answer_is_logged_and_reported(caller, errors):
    for n in range(len(KINDS)):
        assert call(caller, 'answer_and_fail', n=n) == 'answered'
    assert errors == KINDS


def test_a_declared_error_may_be_of_any_kind(caller, errors):
    told = []
    for n in range(len(KINDS)):
        with pytest.raises(RemoteError) as raised:
            call(caller, 'declared', n=n)
        told.append(raised.value.type)
        if raised.value.type in ('_Wordless', '_Quitting', '_NoText'):
            assert 'its text cannot be made' in str(raised.value)
    assert told == KINDS
    assert errors == []


def test_stop_of_a_service_is_not_a_declared_error(caller, service, spawn):
    calling = spawn(call, caller, 'wait')
    service.interfaces[0].seen.get(timeout=5)
    service.stop()
    with pytest.raises(Failed, match='the service stopped while it ran'):
        calling.get(timeout=5)


def test_method_goes_on_after_the_failure_of_its_own_call(caller):
    assert call(caller, 'ask', n=KINDS.index('SystemExit')) == 'went on'


def test_failing_error_hook_and_log_do_not_delay_the_answer(caller, service):
    class Failing(logging.Handler):
        def emit(self, record):
            raise SystemExit(6)

    def fail(error, **details):
        raise KeyboardInterrupt

    service.error_hook.install(fail)
    handler, logger = Failing(), logging.getLogger('lymph')
    logger.addHandler(handler)
    try:
        with pytest.raises(Failed, match='ValueError'):
            call(caller, 'fail', n=0)
    finally:
        logger.removeHandler(handler)
    assert call(caller, 'echo', text='alive') == 'alive'


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_a_deferred_call_ends_with_whatever_it_raises(n, caller):
    error = RAISED[n]()

    def fail():
        raise error

    with pytest.raises(type(error)):
        caller.defer(fail).get(timeout=5)
    assert caller.rpc.stats()['deferred'] == 0


def test_deferred_call_whose_greenlet_is_killed_has_an_outcome(caller):
    running = Queue()

    def wait():
        running.put(gevent.getcurrent())
        gevent.sleep(60)

    result = caller.defer(wait)
    running.get(timeout=5).kill()
    with pytest.raises(lymph.ConnectionLost, match='was ended'):
        result.get(timeout=5)


class HalfSent:
    """A link on which the first `send` is interrupted before anything is sent."""

    peer = 'tcp://127.0.0.1:5'

    def __init__(self, interruption):
        self.interruption = interruption
        self.sent = []

    def send(self, frames):
        interruption, self.interruption = self.interruption, None
        if interruption is not None:
            raise interruption
        self.sent.append(frames)


@pytest.mark.parametrize('interruption', [gevent.Timeout(1), RuntimeError(), KeyboardInterrupt()])
def test_answer_that_was_interrupted_before_it_was_sent_can_be_repeated(interruption):
    message = Message(b'REQ', 'raising.fail')
    link = HalfSent(interruption)
    channel = ReplyChannel(link, message, lambda: b'id')
    with pytest.raises(type(interruption)):
        channel.reply(1)
    channel.nack(unless_reply_sent=True)
    assert len(link.sent) == 1


# Greenlets and hooks.


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_error_hook_gets_whatever_a_spawned_greenlet_raises(n):
    component, heard = Component(), []
    component.error_hook.install(lambda error, **details: heard.append((error, details)))
    error = RAISED[n]()

    def fail():
        raise error

    assert component.spawn(fail).get(timeout=5) is None
    ((told, details),) = heard
    assert told is error
    assert details == {'component': component, 'function': fail, 'trace_id': trace.get_id()}


@pytest.mark.parametrize(
    'end', [lambda p, g: g.kill(), lambda p, g: p.killone(g), lambda p, g: p.kill()]
)
def test_killed_greenlet_reports_no_error(end):
    component, heard = Component(), []
    component.error_hook.install(lambda error, **details: heard.append(error))
    greenlet = component.spawn(gevent.sleep, 60)
    gevent.sleep(0)
    end(component.pool, greenlet)
    assert greenlet.dead
    assert heard == []


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_callback_that_raises_anything_does_not_stop_the_others(n):
    hook, called = Hook(), []

    def fail():
        raise RAISED[n]()

    hook.install(fail)
    hook.install(lambda: called.append(True))
    hook()
    assert called == [True]


def test_a_callback_without_a_repr_is_logged_too(caplog):
    class Callback:
        def __repr__(self):
            raise SystemExit

        def __call__(self):
            raise RuntimeError('no good')

    hook = Hook('the hook')
    hook.install(Callback())
    hook()
    assert 'the hook: callback <Callback without a repr> failed' in caplog.text
    assert 'RuntimeError: no good' in caplog.text


def test_kill_of_a_greenlet_ends_its_hook():
    hook, waiting = Hook(), Event()
    hook.install(lambda: waiting.set() or gevent.sleep(60))
    component = Component()
    greenlet = component.spawn(hook)
    assert waiting.wait(5)
    greenlet.kill(timeout=5)
    assert greenlet.dead


# Components and containers.


class Part(Component):
    def __init__(self, journal, fails_at=None, error=None):
        super().__init__()
        self.journal, self.fails_at, self.error = journal, fails_at, error

    def on_start(self):
        self._note('start')

    def on_drain(self, timeout):
        self._note('drain')
        return 1

    def on_stop(self):
        self._note('stop')

    def _note(self, what):
        self.journal.append(what)
        if what == self.fails_at:
            raise self.error


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_other_components_are_drained_and_stopped_whatever_one_raises(n):
    for step in ('drain', 'stop'):
        root, journal, heard = Componentized(), [], []
        root.error_hook.install(lambda error, heard=heard, **details: heard.append(error))
        error = RAISED[n]()
        for part in (Part(journal), Part(journal, step, error), Part(journal)):
            root.add_component(part)
        root.on_start()
        assert root.on_drain(1) == (2 if step == 'drain' else 3)
        root.on_stop()
        assert journal == ['start'] * 3 + ['drain'] * 3 + ['stop'] * 3
        assert heard == [error]


def test_components_are_stopped_even_if_the_stopping_greenlet_is_killed():
    root, journal = Componentized(), []
    for part in (Part(journal), Part(journal, 'stop', Killed()), Part(journal)):
        root.add_component(part)
    root.on_start()
    with pytest.raises(Killed):
        root.on_stop()
    assert journal == ['start'] * 3 + ['stop'] * 3


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_a_start_that_raises_anything_stops_cleanly_and_raises_it(n, world):
    error = RAISED[n]()

    class Failing(lymph.Interface):
        stopped = False

        def on_start(self):
            raise error

        def on_stop(self):
            self.stopped = True
            raise SystemExit(9)

    container = world.container((Failing, 'failing'), start=False)
    with pytest.raises(type(error)) as raised:
        container.start()
    assert raised.value is error
    assert container.interfaces[0].stopped
    assert container.join(0)


def test_event_system_that_fails_to_pause_does_not_prevent_the_stop(world, monkeypatch):
    container = world.container((Raising, 'raising'))

    def fail():
        raise SystemExit(7)

    monkeypatch.setattr(container.events, 'pause', fail)
    container.drain()
    assert container.join(0)


def test_error_in_instance_facts_leaves_nothing_registered(world):
    class Failing(lymph.Interface):
        def instance_facts(self):
            raise SystemExit(8)

    container = world.container((Raising, 'raising'), (Failing, 'failing'), start=False)
    with pytest.raises(SystemExit):
        container.start()


def test_registry_that_fails_on_a_lost_endpoint_leaves_no_call_waiting(
    world, service, caller, spawn, monkeypatch
):
    def fail(endpoint):
        raise SystemExit(9)

    monkeypatch.setattr(caller.registry, 'suspect_endpoint', fail)
    calling = spawn(call, caller, 'wait')
    service.interfaces[0].seen.get(timeout=5)
    for link in tuple(world.network.links):
        link.cut('the cable is cut')
    with pytest.raises(lymph.ConnectionLost):
        calling.get(timeout=5)


# Subscriptions at runtime.


@pytest.mark.parametrize('make', [*RAISED, lambda: lymph.EventRejected('never')])
def test_a_subscription_to_one_event_ends_with_whatever_its_handler_raises(make, service, world):
    raising = service.interfaces[0]
    retry = 0 if make in RAISED else 5

    def fail(event):
        raise make()

    raising.subscribe('thing', once=True, retry=retry)(fail)
    raising.emit('thing')
    eventually(lambda: list(world.event_hub.dead_letters.read()))
    eventually(lambda: service.workers.running == 0)
    raising.subscribe('thing')(fail)  # as one that is not subscribed


# Metrics.


@pytest.mark.parametrize('n', range(len(KINDS)), ids=KINDS)
def test_a_metric_that_raises_anything_is_left_out(n):
    def fail():
        raise RAISED[n]()

    metrics = Aggregate([Callable('bad', fail), Gauge('good', 1)])
    assert list(metrics) == [('good', 1, {})]


@pytest.mark.parametrize(
    'samples',
    [5, ['x'], [('name', 1)], [(None, 1, {})], [('name', None, {})], [('name', 1, None)],
     [('name', 1, {'tag': object()})], [('name', object(), {})]],
    ids=str,
)  # fmt: skip
def test_invalid_sample_is_left_out(samples):
    assert list(Aggregate([samples, Gauge('good', 1)])) == [('good', 1, {})]
