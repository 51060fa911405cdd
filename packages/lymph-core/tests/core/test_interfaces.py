from __future__ import annotations

import functools

import gevent
import pytest
from gevent.event import Event as Flag
from gevent.queue import Queue

import lymph
from lymph.client import Client
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.versions import NotHandled
from lymph.exceptions import (
    EmitFailure,
    EventRejected,
    SerializationError,
    SubscriptionError,
    Timeout,
)
from lymph.patterns.serial_events import serial_event
from lymph.testing.contracts._events.delays import NO_DELAYS
from lymph.testing.waiting import eventually


class Listener(lymph.Interface):
    """Puts the events that it gets into a queue."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard = Queue()
        self.gate = Flag()
        self.gate.set()

    @lymph.rpc()
    def emit_it(self, type, payload=None):
        self.emit(type, payload)

    @lymph.event('done', 'task.*')
    def on_done(self, event):
        self.heard.put(event)

    @lymph.event('broadcast', broadcast=True)
    def on_broadcast(self, event):
        self.heard.put(event)

    @lymph.event('context')
    def on_context(self, event):
        self.heard.put((trace.get_id(), deadlines.current()))

    @lymph.event('one_by_one', sequential=True)
    def on_one_by_one(self, event):
        self.heard.put(('begin', event['n']))
        gevent.sleep(0)
        self.heard.put(('end', event['n']))

    @lymph.event('fails')
    def on_fails(self, event):
        raise RuntimeError('no good')


@pytest.fixture
def listener(world):
    return world.container((Listener, 'listener')).interfaces[0]


@pytest.fixture
def emitter(world, listener):
    return world.container((lymph.Interface, 'emitter')).interfaces[0]


def take(interface):
    return interface.heard.get(timeout=5)


def nothing_more(emitter, interface):
    """Tell whether no event was handled before one that is emitted now."""
    emitter.emit('done', {'last': True})
    return take(interface).get('last')


def test_handler_gets_its_events(emitter, listener):
    emitter.emit('done', {'a': 1})
    event = take(listener)
    assert isinstance(event, Event)
    assert (event.type, event.body, event.source) == ('done', {'a': 1}, 'emitter')
    emitter.emit('task.started')
    assert take(listener).type == 'task.started'
    emitter.emit('task.a.b')
    assert nothing_more(emitter, listener)


def test_invalid_delay_is_rejected_by_all_ways_to_emit(world, emitter, listener):
    client = Client(world.container(on_demand=True, start=False))
    for emit in (emitter.emit, emitter.container.emit_event, client.emit):
        for delay in NO_DELAYS:
            with pytest.raises(ValueError, match=r'expected the delay of the event done .*found'):
                emit('done', {}, delay=delay)
    client.close()
    assert nothing_more(emitter, listener)


@pytest.mark.parametrize('retry', [-1, '1', 1.5, None, True])
def test_invalid_retry_is_rejected_at_runtime_too(listener, retry):
    with pytest.raises(SubscriptionError, match='expected retry as a whole number >= 0, found'):
        listener.subscribe('other', retry=retry)(print)


def test_invalid_delay_does_not_start_the_event_system_of_a_client(world):
    client = Client(world.container(on_demand=True, start=False))
    with pytest.raises(ValueError, match='expected the delay'):
        client.emit('done', delay='5')
    assert client.container._events not in client.container.components
    client.close()


def test_one_instance_handles_an_event_and_all_a_broadcast(world, emitter, listener):
    other = world.container((Listener, 'listener')).interfaces[0]
    emitter.emit('broadcast')
    assert (take(listener).type, take(other).type) == ('broadcast', 'broadcast')
    emitter.emit('done')
    eventually(lambda: len(listener.heard) + len(other.heard) == 1)


def test_sequential_events_are_handled_one_by_one(emitter, listener):
    for n in range(5):
        emitter.emit('one_by_one', {'n': n})
    heard = [take(listener) for _ in range(10)]
    assert heard == [(what, n) for n in range(5) for what in ('begin', 'end')]


def test_events_carry_the_trace_id_and_no_deadline(world, emitter, listener):
    trace.set_id('mine')
    emitter.emit('context')
    assert take(listener) == ('mine', None)
    world.container().request('listener', 'listener.emit_it', {'type': 'context'}, timeout=5)
    assert take(listener) == ('mine', None)
    trace._trace_id.set(None)


def test_error_of_a_handler_is_logged_and_reported_once(emitter, listener, caplog):
    errors = []
    listener.container.error_hook.install(lambda error, **details: errors.append(str(error)))
    emitter.emit('fails')
    eventually(lambda: errors)
    assert errors == ['no good']
    assert len([r for r in caplog.records if r.exc_info]) == 1
    failed = {tags['queue']: v for n, v, tags in listener.metrics if n == 'events.failed'}
    assert failed['listener.on_fails'] == 1


def test_unserializable_payload_is_not_emitted(emitter):
    with pytest.raises(SerializationError):
        emitter.emit('done', {'a': object()})
    with pytest.raises(TypeError, match='expected the payload of done as a dict, found 5'):
        emitter.emit('done', 5)
    with pytest.raises(ValueError, match='expected'):
        emitter.emit('done.*')
    with pytest.raises(ValueError, match='delay'):
        emitter.emit('done', delay=-1)


@pytest.mark.parametrize('headers', [5, 'text', [('a', 1)], []], ids=repr)
def test_event_headers_that_are_not_a_mapping_are_rejected_in_one_line(emitter, headers):
    with pytest.raises(TypeError, match='expected the headers of done as a dict, found'):
        emitter.container.emit_event('done', {}, headers=headers)


def test_nothing_is_emitted_after_the_stop(emitter):
    emitter.container.stop()
    with pytest.raises(EmitFailure):
        emitter.emit('done')


# Subscriptions at runtime.


def test_a_function_is_subscribed_at_runtime(emitter, listener):
    heard = Queue()

    @listener.subscribe('dynamic.#')
    def on_event(event):
        heard.put(event)

    emitter.emit('dynamic.a.b', {'x': 1})
    event = heard.get(timeout=5)
    assert (event.type, event['x']) == ('dynamic.a.b', 1)


def test_handler_with_two_parameters_gets_the_interface_too(emitter, listener):
    heard = Queue()

    @listener.subscribe('dynamic')
    def on_event(interface, event):
        heard.put((interface, event.type))

    emitter.emit('dynamic')
    assert heard.get(timeout=5) == (listener, 'dynamic')


def test_every_instance_gets_events_it_subscribed_to(world, emitter, listener):
    other = world.container((Listener, 'listener')).interfaces[0]
    heard = Queue()
    for interface in (listener, other):
        interface.subscribe('dynamic')(lambda interface, event: heard.put(interface))
    emitter.emit('dynamic')
    assert {heard.get(timeout=5), heard.get(timeout=5)} == {listener, other}


def test_unsubscribed_function_gets_no_more_events(emitter, listener):
    heard = []
    handler = listener.subscribe('done')(heard.append)
    listener.unsubscribe(handler)
    listener.unsubscribe(handler)
    emitter.emit('done')
    take(listener)
    assert heard == []
    assert queues(listener) == {
        'on_done',
        'on_broadcast',
        'on_context',
        'on_fails',
        'on_one_by_one',
    }


def queues(interface):
    """Return the names of handlers (the ends of their queues' names) that are subscribed."""
    counted = {
        tags['queue']
        for name, value, tags in interface.metrics
        if name == 'events.subscriptions' and value
    }
    return {queue.split('.')[1] for queue in counted}


def test_function_cannot_be_subscribed_twice_at_the_same_time(emitter, listener):
    heard = Queue()
    handler = listener.subscribe('dynamic')(heard.put)
    with pytest.raises(SubscriptionError, match='is subscribed already; unsubscribe it first'):
        listener.subscribe('other')(handler)
    listener.unsubscribe(handler)
    listener.subscribe('other')(handler)
    emitter.emit('other')
    assert heard.get(timeout=5).type == 'other'


def takes_more_by_default(event, log=print):
    log(event)


def unwrapped(*args, **kwargs):
    """Take what a decorator without `functools.wraps` makes a function take."""


async def wait(event): ...


def generate(interface, event):
    yield event


class Waiting:
    async def __call__(self, event): ...


@pytest.mark.parametrize(
    ('handler', 'found'),
    [
        (wait, 'wait: expected a function to subscribe, found an async function; write `def`'),
        (functools.partial(wait), 'found an async function'),
        (functools.lru_cache(wait), 'found an async function'),
        (Waiting(), 'found an async function'),
        (Waiting().__call__, 'found an async function'),
        (generate, 'found a generator function'),
        (None, 'found None, which cannot be called'),
        ('name', "found 'name', which cannot be called"),
        (classmethod(wait), 'which cannot be called'),
        (lambda: None, 'expected the parameter event, or interface and event, found no parameters'),
        (
            lambda a, b, c: None,
            'expected the parameter event, or interface and event, found a, b, c',
        ),
        (lambda event, *, key: None, 'expected the parameter event'),
        (unwrapped, r'found \*args and \*\*kwargs; name them, or use functools.wraps'),
    ],
)
def test_function_that_cannot_handle_events_is_rejected_in_one_line(listener, handler, found):
    with pytest.raises(SubscriptionError, match=f'{found}[^\n]*$'):
        listener.subscribe('dynamic')(handler)
    assert queues(listener) == {
        'on_done',
        'on_broadcast',
        'on_context',
        'on_fails',
        'on_one_by_one',
    }


def test_further_handler_parameters_keep_their_defaults(emitter, listener):
    heard = Queue()
    listener.subscribe('dynamic')(functools.partial(takes_more_by_default, log=heard.put))
    listener.subscribe('dynamic')(lambda event, say=heard.put: say(event))
    emitter.emit('dynamic')
    assert [heard.get(timeout=5).type for _ in range(2)] == ['dynamic', 'dynamic']


@pytest.mark.parametrize('types', [(), ('a..b',), ('',), ('a.b*',)])
def test_invalid_topic_cannot_be_subscribed_to(listener, types):
    with pytest.raises(SubscriptionError):
        listener.subscribe(*types)(lambda event: None)
    assert queues(listener) == {
        'on_done',
        'on_broadcast',
        'on_context',
        'on_fails',
        'on_one_by_one',
    }


def test_once_subscription_ends_with_its_event(emitter, listener):
    heard = Queue()

    def handler(event):
        heard.put(event['n'])

    listener.subscribe('dynamic', once=True)(handler)
    for n in range(3):
        emitter.emit('dynamic', {'n': n})
    assert heard.get(timeout=5) == 0
    eventually(lambda: 'handler' not in queues(listener))
    listener.subscribe('dynamic', once=True)(handler)  # and may be made again
    emitter.emit('dynamic', {'n': 7})
    assert heard.get(timeout=5) == 7


@pytest.mark.parametrize('error', [ValueError, EventRejected, NotHandled])
def test_once_subscription_ends_after_the_last_attempt_to_handle_its_event(
    emitter, listener, error
):
    def handler(event):
        raise error('not today')

    retry = 0 if error is ValueError else 5
    listener.subscribe('dynamic', once=True, retry=retry)(handler)
    emitter.emit('dynamic')
    eventually(lambda: 'handler' not in queues(listener))
    listener.subscribe('dynamic', once=True, retry=retry)(handler)  # and may be made again


def test_the_next_event_is_waited_for(emitter, listener, spawn):
    waiting = spawn(listener.get_next_event, 'dynamic', 'other', timeout=5)
    eventually(lambda: 'get_next_event' in queues(listener))
    emitter.emit('other', {'x': 1})
    assert waiting.get(timeout=5)['x'] == 1
    assert 'get_next_event' not in queues(listener)


def test_missing_event_is_a_timeout(listener):
    with pytest.raises(Timeout, match=r'no event of type dynamic within 0\.01 s'):
        listener.get_next_event('dynamic', timeout=0.01)
    assert 'get_next_event' not in queues(listener)


@pytest.mark.parametrize('timeout', [0, -1, -0.5])
def test_timeout_of_zero_or_less_for_the_next_event_is_a_timeout(listener, timeout):
    with pytest.raises(Timeout, match='no event of type dynamic within'):
        listener.get_next_event('dynamic', timeout=timeout)


def test_an_interface_calls_others(world, listener):
    caller = world.container((lymph.Interface, 'caller')).interfaces[0]
    caller.request('listener', 'listener.emit_it', {'type': 'done'}, payload={'x': 1})
    assert take(listener)['x'] == 1
    caller.proxy('listener', timeout=5).emit_it(type='done', payload={'x': 2})
    assert take(listener)['x'] == 2


@pytest.mark.parametrize(
    'ask',
    [
        lambda i: i.request('listener', 'listener.emit_it', {'type': 'done'}),
        lambda i: i.request('listener', method='listener.emit_it', body={'type': 'done'}),
        lambda i: i.request(address='listener', method='listener.emit_it', type='done'),
        lambda i: i.request('listener', subject='listener.emit_it', body={'type': 'done'}),
    ],
    ids=['positional', 'method', 'keywords', 'subject'],
)
@pytest.mark.parametrize('asking', ['interface', 'client'])
def test_a_request_names_its_method_and_body(world, listener, asking, ask):
    caller = world.container((lymph.Interface, 'caller'))
    ask(caller.interfaces[0] if asking == 'interface' else Client(world.container(start=False)))
    assert take(listener).type == 'done'


@pytest.mark.parametrize(
    ('names', 'said'),
    [
        ({}, 'expected the method to call, as in'),
        ({'method': 'a.b', 'subject': 'a.b'}, 'expected method or subject, .* found both'),
    ],
)
def test_request_needs_exactly_one_method(world, names, said):
    caller = world.container((lymph.Interface, 'caller')).interfaces[0]
    with pytest.raises(TypeError, match=said):
        caller.request('listener', **names)


def test_arguments_called_like_parameters_of_request_go_into_the_body(world):
    class Web(lymph.Interface):
        @lymph.rpc()
        def get(self, method, subject):
            return method, subject

    caller = world.container((Web, 'web')).interfaces[0]
    body = {'method': 'GET', 'subject': 's'}
    assert caller.request('web', 'web.get', body) == ['GET', 's']


def test_default_name_of_an_interface_is_that_of_its_class(world):
    assert world.container(Listener).interfaces[0].name == 'listener'


def test_an_interface_subscribes_while_it_starts(world, emitter):
    class Dynamic(lymph.Interface):
        def on_start(self):
            self.heard = Queue()

            @self.subscribe('dynamic')
            def on_event(event):
                self.heard.put(event)

    dynamic = world.container((Dynamic, 'dynamic')).interfaces[0]
    emitter.emit('dynamic')
    assert take(dynamic).type == 'dynamic'


def test_a_handler_may_be_declared_for_one_event_or_a_queue_of_its_own(world, emitter):
    class Special(lymph.Interface):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.heard = Queue()

        @lymph.event('first', once=True)
        def on_first(self, event):
            self.heard.put(event['n'])

        @lymph.event('named', queue_name='own.queue')
        def on_named(self, event):
            self.heard.put(event['n'])

    special = world.container((Special, 'special')).interfaces[0]
    for n in range(2):
        emitter.emit('first', {'n': n})
    emitter.emit('named', {'n': 2})
    assert sorted([take(special), take(special)]) == [0, 2]
    counted = {tags['queue'] for name, _, tags in special.metrics if name == 'events.handled'}
    eventually(lambda: special.heard.empty())
    assert 'special.own.queue' in counted


@pytest.mark.parametrize('junk', [5, None, [], b'x'])
def test_foreign_trace_id_that_is_not_text_is_replaced(world, emitter, junk):
    class Calls(lymph.Interface):
        heard = Queue()

        @lymph.event('strange')
        def on_strange(self, event):
            self.heard.put((trace.get_id(), self.request('calls', 'calls.answer')))

        @lymph.rpc()
        def answer(self):
            return 'answer'

    world.container((Calls, 'calls'))
    emitter.container.emit_event('strange', headers={'trace_id': junk})
    trace_id, answer = Calls.heard.get(timeout=5)
    assert (len(trace_id), answer) == (32, 'answer')


class Paid(lymph.Interface):
    @lymph.event('order.paid')
    def paid(self, event):
        pass


class Region(lymph.Interface):
    @lymph.event('order.paid', queue_name='eu.paid')
    def on_paid(self, event):
        pass


class Numbered(lymph.Interface):
    @lymph.event('order.paid', queue_name='3')
    def on_paid(self, event):
        pass


class Serial(lymph.Interface):
    @serial_event('order.paid')
    def eu(self, event):
        pass


@pytest.mark.parametrize(('first', 'second'), [(Region, Paid), (Serial, Numbered)])
@pytest.mark.parametrize('worker', [False, True])
def test_queue_of_another_interface_of_the_container_is_rejected(world, first, second, worker):
    pairs = [(first, 'shop'), (second, 'shop.eu')]
    for each in (pairs, pairs[::-1]):
        container = world.container(*each, start=False, worker=worker)
        with pytest.raises(SubscriptionError, match=r"found 'shop\.eu\.\w+' for \w+ of shop"):
            container.start()
    world.container((first, 'shop'), (second, 'shop.us'), worker=worker)


def test_versions_of_an_interface_share_their_queues(world):
    class Renamed(lymph.Interface):
        @lymph.event('order.paid', queue_name='paid')
        def on_paid(self, event):
            pass

    world.container((Paid, 'shop', '1.0'), (Renamed, 'shop', '2.0'))


def test_two_interfaces_of_a_container_that_name_the_same_queue_each_have_one(world, emitter):
    class Hears(lymph.Interface):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.heard = Queue()

        @lymph.event('thing', queue_name='shared')
        def on_thing(self, event):
            self.heard.put(event['n'])

    interfaces = world.container((Hears, 'one'), (Hears, 'other')).interfaces
    emitter.emit('thing', {'n': 1})
    assert [take(each) for each in interfaces] == [1, 1]


def test_queue_named_as_in_earlier_versions_causes_a_warning(world, caplog):
    class Hears(lymph.Interface):
        @lymph.event('thing', queue_name='former')
        def on_thing(self, event):
            pass

    def warnings():
        return [each.getMessage() for each in caplog.records if "'former'" in each.getMessage()]

    before = world.container((Hears, 'shop'))
    assert warnings() == []
    before.events.declare(Subscription('former', ('thing',), print))
    world.container((Hears, 'shop'))
    (warning,) = warnings()
    assert warning.startswith("the queue of shop.on_thing is 'shop.former'; a queue 'former', as")
