"""Resources of calls, events, tasks and subscriptions, from their first use to the end of each."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core.components import Component
from lymph.core.failures import Killed
from lymph.core.interceptors import Interceptor
from lymph.core.plugins import Plugin
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually


class Journal(Component):
    """Owns a resource that the ledger uses, as a pool of connections would."""

    def __init__(self):
        super().__init__()
        self.log = []
        self.fails = False

    @lymph.resource
    def entry(self):
        self.log.append('open')
        try:
            yield self.log.append
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        else:
            if self.fails:
                self.log.append('failed')
                raise OSError('commit failed')
            self.log.append('commit')


class Ledger(lymph.Interface):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.journal = Journal()
        self.add_component(self.journal)
        self.begun, self.go_on = Event(), Event()
        self.kept = Queue()

    @lymph.resource
    def entry(self):
        self.journal.entry('ledger open')
        yield self.journal.entry
        self.journal.entry('ledger close')

    @property
    def log(self):
        return self.journal.log

    def write(self, how='return'):
        self.entry('write')
        if how in ('wait', 'Timeout'):
            self.begun.set()
            with gevent.Timeout(0.01 if how == 'Timeout' else None):
                self.go_on.wait(10)
        elif how != 'return':
            raise {'ValueError': ValueError, 'KeyError': KeyError, 'SystemExit': SystemExit}[how]

    @lymph.rpc(raises=ValueError)
    def call(self, how='return'):
        self.write(how)
        return 'done'

    @lymph.raw_rpc()
    def raw(self, channel, how='return'):
        self.write(how)
        channel.detach()
        self.log.append('detached')
        self.kept.put(channel)

    @lymph.event('written')
    def on_written(self, event):
        self.write(event['how'])

    @serial_event('serial', partition_count=1)
    def on_serial(self, event):
        self.write(event['how'])

    @lymph.task()
    def job(self, how='return'):
        self.write(how)

    @lymph.rpc(cancel=True)
    def cancellable(self):
        self.write('wait')

    @lymph.rpc()
    def direct(self):
        self.entry('method')
        self.job()

    @lymph.rpc()
    def queue(self, how):
        self.job.apply(how=how)

    @lymph.rpc()
    def unused(self):
        pass

    @lymph.rpc()
    def in_background(self):
        def use():
            try:
                self.entry('background')
            except lymph.ResourceError as error:
                return str(error)

        return [self.spawn(use).get(timeout=5), self.container.defer(use).get(timeout=5)]


OPENED = ['open', 'ledger open', 'write']
COMMITTED = [*OPENED, 'ledger close', 'commit']


@pytest.fixture
def ledger(world):
    ledger = world.container((Ledger, 'ledger')).interfaces[0]
    yield ledger
    ledger.go_on.set()


@pytest.fixture
def request_(ledger):
    def request(method, **arguments):
        options = {'timeout': arguments.pop('timeout', 5), 'retries': 0}
        return ledger.container.request('ledger', f'ledger.{method}', arguments, **options)

    return request


def run(ledger, world, kind, how, interface=Ledger):
    """Have the ledger write in a unit of work of a kind."""
    if kind == 'call':
        try:
            ledger.container.request('ledger', 'ledger.call', {'how': how})
        except lymph.RpcError:
            return ledger
    elif kind == 'raw':
        gevent.spawn(ledger.container.send_request, 'ledger', 'ledger.raw', {'how': how})
    elif kind == 'event':
        ledger.emit('written', {'how': how})
    elif kind == 'serial event':
        ledger.emit('serial', {'how': how})
    elif kind == 'task':
        worker = world.container((interface, 'ledger'), worker=True).interfaces[0]
        ledger.job.apply(how=how)
        return worker
    else:
        ledger.subscribe('runtime')(lambda event: ledger.write(event['how']))
        ledger.emit('runtime', {'how': how})
    return ledger


KINDS = ['call', 'raw', 'event', 'serial event', 'task', 'subscription']


@pytest.mark.parametrize('kind', KINDS)
def test_resources_are_closed_when_the_unit_of_work_has_returned(world, ledger, kind):
    used = run(ledger, world, kind, 'return')
    eventually(lambda: used.log[-1:] == ['commit'])
    assert [each for each in used.log if each != 'detached'] == COMMITTED


@pytest.mark.parametrize('how', ['ValueError', 'KeyError', 'SystemExit', 'Timeout'])
@pytest.mark.parametrize('kind', KINDS)
def test_resources_get_the_error_raised_by_the_unit_of_work(world, ledger, kind, how):
    used = run(ledger, world, kind, how)
    assert eventually(lambda: used.log[3:]) == [how]
    assert used.log == [*OPENED, how]


def test_reply_is_sent_after_the_resources_are_closed(ledger, request_):
    assert request_('call') == 'done'
    assert ledger.log == COMMITTED


def test_declared_error_is_sent_after_the_resources_are_closed(ledger, request_):
    with pytest.raises(lymph.RemoteError.ValueError):
        request_('call', how='ValueError')
    assert ledger.log == [*OPENED, 'ValueError']


def test_error_while_closing_a_resource_fails_the_call(ledger, request_):
    ledger.journal.fails = True
    with pytest.raises(lymph.Failed, match='OSError'):
        request_('call')
    assert ledger.log == [*OPENED, 'ledger close', 'failed']


def test_declared_error_raised_while_closing_is_sent_to_the_caller(world):
    class Strict(Ledger):
        @lymph.rpc(raises=OSError)
        def call(self, how='return'):
            self.entry('write')

    container = world.container((Strict, 'ledger'))
    container.interfaces[0].journal.fails = True
    with pytest.raises(lymph.RemoteError.OSError, match='commit failed'):
        container.request('ledger', 'ledger.call')


def test_error_while_closing_a_resource_fails_the_attempt_to_handle_an_event(world):
    class Again(Ledger):
        @lymph.event('again', retry=1)
        def on_again(self, event):
            self.journal.fails = event.attempt == 1
            self.entry(f'attempt {event.attempt}')

    ledger = world.container((Again, 'ledger')).interfaces[0]
    ledger.emit('again')
    eventually(lambda: 'commit' in ledger.log)
    assert [each for each in ledger.log if each.startswith(('attempt', 'failed', 'commit'))] == [
        'attempt 1',
        'failed',
        'attempt 2',
        'commit',
    ]


def test_unit_of_a_detached_call_ends_when_the_method_returns(ledger):
    channel = ledger.container.send_request('ledger', 'ledger.raw', timeout=5)
    reply = ledger.kept.get(timeout=5)
    eventually(lambda: ledger.log[-1] == 'commit')
    reply.reply('late')
    assert channel.get().body == 'late'


def test_task_called_directly_is_part_of_the_unit_of_its_caller(ledger, request_):
    request_('direct')
    assert ledger.log == ['open', 'ledger open', 'method', 'write', 'ledger close', 'commit']


def test_rejected_calls_open_no_resources(ledger, request_):
    with pytest.raises(lymph.Refused):
        request_('call', wrong=True)
    request_('unused')
    assert ledger.log == []


def test_background_greenlets_are_not_part_of_a_unit(ledger, request_):
    for told in request_('in_background'):
        assert told.startswith('Ledger.entry: expected a unit of work')
    assert ledger.log == []


def test_each_call_has_its_own_resources(ledger, request_):
    first = gevent.spawn(request_, 'call', how='wait')
    assert ledger.begun.wait(5)
    request_('call')
    assert ledger.log == [*OPENED, *COMMITTED]
    ledger.go_on.set()
    first.get(timeout=5)
    assert ledger.log == [*OPENED, *COMMITTED, 'ledger close', 'commit']


def test_the_deadline_of_a_call_may_pass_while_a_resource_is_opened(world):
    class Slow(Ledger):
        @lymph.resource
        def entry(self):
            self.log.append('open')
            self.begun.set()
            self.go_on.wait(10)
            yield self.log.append
            self.log.append('close')

    container = world.container((Slow, 'ledger'))
    ledger = container.interfaces[0]
    with pytest.raises(lymph.Timeout):
        container.request('ledger', 'ledger.call', timeout=0.01)
    assert ledger.log == ['open']
    ledger.go_on.set()
    eventually(lambda: ledger.log[-1] == 'close')
    assert ledger.log == ['open', 'write', 'close']


@pytest.mark.parametrize('kind', KINDS)
def test_resources_of_work_killed_in_a_drain_are_closed(world, ledger, kind):
    used = run_in_background(ledger, world, kind)
    assert used.begun.wait(5)
    assert used.container.drain() == 1
    assert used.log == [*OPENED, 'Killed']


def run_in_background(ledger, world, kind):
    if kind == 'call':
        gevent.spawn(run, ledger, world, kind, 'wait')
        return ledger
    return run(ledger, world, kind, 'wait')


def test_resources_of_a_cancelled_call_are_closed(ledger, request_):
    with pytest.raises(lymph.Timeout):
        request_('cancellable', timeout=0.01)
    assert eventually(lambda: ledger.log[3:]) == ['Cancelled']


class Closing(lymph.Interface):
    """Closes its resource slowly."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.closing, self.go_on = Event(), Event()
        self.log = []

    @lymph.resource
    def slow(self):
        yield
        try:
            self.closing.set()
            self.go_on.wait(10)
            self.log.append('closed')
        except (Killed, lymph.Cancelled):
            self.log.append('cut')
            raise

    @lymph.rpc(cancel=True)
    def close(self):
        assert self.slow is None
        return 'done'


@pytest.fixture
def closing(world):
    container = world.container((Closing, 'closing'))
    interface = container.interfaces[0]
    interface.call = container.send_request('closing', 'closing.close', timeout=5)
    assert interface.closing.wait(5)
    return interface


def test_closing_a_resource_is_not_cancelled(closing):
    closing.call.cancel()
    status = closing.container.request('closing', 'lymph.status')  # handled after the cancellation
    assert status['handlers']['running'] == 1
    assert closing.log == []
    closing.go_on.set()
    eventually(lambda: closing.log == ['closed'])


def test_stop_waits_until_resources_are_closed(closing):
    stop = gevent.spawn(closing.container.stop)
    eventually(lambda: all(worker._held for worker in closing.container.workers._busy))
    assert not stop.ready()
    closing.go_on.set()
    assert stop.get(timeout=5) == 1
    assert closing.log == ['closed']


def test_closing_that_does_not_end_is_killed_by_the_stop(closing, monkeypatch):
    monkeypatch.setattr('lymph.core.container._CUT_TIMEOUT', 0.01)
    closing.container.stop()
    assert closing.log == ['cut']


class Watching(Plugin, Interceptor):
    """Notes what has been written when a call ends."""

    ledger = None
    seen = ()

    def intercept(self, work, proceed):
        try:
            return proceed()
        finally:
            if work.kind == 'rpc':
                self.seen = list(self.ledger.log)


class Careful(Ledger, Interceptor):
    """Uses the resource around its work; refuses calls with `how='refuse'`."""

    kinds = ('rpc', 'event', 'task')

    def intercept(self, work, proceed):
        self.entry('intercepted')
        if work.arguments.get('how') == 'refuse':
            raise lymph.Refused('not now')
        return proceed()


@pytest.mark.parametrize('kind', ['call', 'event', 'serial event', 'task'])
def test_interceptor_of_the_interface_is_part_of_the_unit(world, kind):
    ledger = world.container((Careful, 'ledger')).interfaces[0]
    used = run(ledger, world, kind, 'return', Careful)
    eventually(lambda: used.log[-1:] == ['commit'])
    assert used.log == ['open', 'ledger open', 'intercepted', 'write', 'ledger close', 'commit']


def test_resources_get_the_refusal_of_the_interface(world):
    ledger = world.container((Careful, 'ledger')).interfaces[0]
    with pytest.raises(lymph.Refused, match='not now'):
        ledger.container.request('ledger', 'ledger.call', {'how': 'refuse'}, retries=0)
    assert ledger.log == ['open', 'ledger open', 'intercepted', 'Refused']


@pytest.mark.parametrize('interface', [Ledger, Careful])
def test_interceptors_of_plugins_wrap_the_unit(world, interface):
    container = world.container((interface, 'ledger'), start=False)
    plugin = container.install_plugin(Watching)
    plugin.ledger = container.interfaces[0]
    container.start()
    container.request('ledger', 'ledger.call')
    assert plugin.seen[-2:] == ['ledger close', 'commit']


def test_plugins_may_declare_resources(world):
    class Database(Plugin):
        closed = False

        @lymph.resource
        def connection(self):
            yield 'connection'
            self.closed = True

    class User(lymph.Interface):
        @lymph.rpc()
        def use(self):
            return [self.database.connection, self.database.closed]

    container = world.container((User, 'user'))
    database = container.install_plugin(Database)
    container.interfaces[0].database = database
    assert container.request('user', 'user.use') == ['connection', False]
    assert database.closed
