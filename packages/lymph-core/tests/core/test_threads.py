"""A container can be used only in the native thread that made it."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.components import Component
from lymph.core.container import ServiceContainer
from lymph.core.messages import Message
from lymph.events.base import Subscription
from lymph.exceptions import WrongThread


class Echo(lymph.Interface):
    other = lymph.proxy('echo', timeout=5)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard = []
        self.channels = Queue()

    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc()
    def threaded(self, text):
        return elsewhere(text.upper)

    @lymph.raw_rpc()
    def later(self, channel):
        channel.detach()
        self.channels.put(channel)

    @lymph.event('thing')
    def on_thing(self, event):
        self.heard.append(event['n'])

    @lymph.task()
    def job(self):
        self.heard.append('job')


def elsewhere(func, *args, **kwargs):
    """Run `func` in a native thread; return its result or raise its error."""
    return gevent.get_hub().threadpool.apply(func, args, kwargs)


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo'))


@pytest.fixture
def echo(service):
    return service.interfaces[0]


USES = {
    'call': lambda echo: echo.request('echo', 'echo.echo'),
    'proxy': lambda echo: echo.other.echo(),
    'deferred call': lambda echo: echo.other.echo.defer(),
    'request': lambda echo: echo.container.send_request('echo', 'echo.echo'),
    'message': lambda echo: echo.container.send_message('echo', Message(b'REQ', 'echo.echo', {})),
    'connection': lambda echo: echo.container.connect(echo.container.endpoint),
    'look-up': lambda echo: echo.container.lookup('echo'),
    'discovery': lambda echo: echo.container.discover(),
    'event': lambda echo: echo.emit('thing', {'n': 1}),
    'task': lambda echo: echo.job.apply(),
    'event system': lambda echo: echo.container.events.emit(lymph.Event('thing', {'n': 1})),
    'registry': lambda echo: echo.container.registry.get('nobody'),
    'subscription': lambda echo: echo.subscribe('other')(lambda event: None),
    'next event': lambda echo: echo.get_next_event('other', timeout=5),
    'greenlet': lambda echo: echo.spawn(print),
    'greenlet of the pool': lambda echo: echo.pool.spawn(print),
    'worker': lambda echo: echo.workers.try_start(print),
    'waiting worker': lambda echo: echo.workers.start(print),
    'client': lambda echo: Client(echo.container),
    'start': lambda echo: echo.container.start(),
    'drain': lambda echo: echo.container.drain(),
    'stop': lambda echo: echo.container.stop(),
}


@pytest.mark.parametrize('use', USES)
def test_use_in_another_thread_has_no_effect_and_raises_with_advice(use, echo):
    before = echo.container.rpc.stats()
    with pytest.raises(WrongThread, match=r'in another native thread.*threadpool'):
        elsewhere(USES[use], echo)
    assert echo.container.rpc.stats() == before
    assert echo.request('echo', 'echo.echo', text='as before', timeout=5) == 'as before'
    assert echo.heard == []


def test_subscription_cannot_be_ended_in_another_thread(service):
    subscription = service.subscribe(Subscription('queue', ('thing',), print))
    with pytest.raises(WrongThread, match='queue was unsubscribed'):
        elsewhere(service.unsubscribe, subscription)
    service.unsubscribe(subscription)


def test_call_can_be_answered_only_in_its_own_thread(world, echo, spawn):
    caller = world.container()
    calling = spawn(caller.request, 'echo', 'echo.later', timeout=10)
    channel = echo.channels.get(timeout=5)
    for answer in (channel.reply, channel.ack, channel.nack, channel.error):
        with pytest.raises(WrongThread, match=r'echo\.later was answered'):
            elsewhere(answer, *(['no'] if answer == channel.reply else []))
    channel.reply('here')
    assert calling.get(timeout=5) == 'here'


def test_reply_can_be_awaited_only_in_its_own_thread(world, service):
    caller = world.container()
    channel = caller.send_request('echo', 'echo.echo', {'text': 'x'})
    for wait in (channel.get, channel.wait, channel.cancel):
        with pytest.raises(WrongThread, match=r'the reply from echo\.echo'):
            elsewhere(wait)
    assert channel.get(timeout=5).body == 'x'


def test_method_can_use_the_result_of_a_thread(world, service):
    caller = world.container()
    assert caller.request('echo', 'echo.threaded', {'text': 'x'}, timeout=5) == 'X'


def test_a_thread_may_have_a_client_of_its_own():
    nothing = {'registry': {'class': 'static'}, 'events': {'class': 'null'}}
    config = Configuration({'container': {**nothing, 'block_threshold': 0}})

    def use():
        with Client.from_config(config) as client:
            component, done = Component(), Event()
            component.spawn(done.set)
            deferred = client.proxy(service.endpoint, 'echo', timeout=5).echo.defer(text='later')
            assert done.wait(5)
            called = client.request(service.endpoint, 'echo.echo', text='x', timeout=5)
            return called, deferred.get(timeout=5)

    service = ServiceContainer.from_config(config.view('container'))
    service.install_interface(Echo, 'echo')
    service.start(register=False)
    try:
        assert elsewhere(use) == ('x', 'later')
    finally:
        service.stop()
