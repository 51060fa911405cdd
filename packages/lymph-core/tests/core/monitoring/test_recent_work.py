"""What an instance remembers of its last units of work, and tells of a trace."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Flag

import lymph
from lymph.core import trace
from lymph.core._monitoring.recent_work import RecentWork
from lymph.core.monitoring.traces import find_trace, latest_traces
from lymph.exceptions import LymphError, RemoteError
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually

ID = 'a' * 32


class Stock(lymph.Interface):
    def __init__(self, *args):
        super().__init__(*args)
        self.failures = 1
        self.gate = Flag()
        self.entered = Flag()

    @lymph.rpc(raises=(KeyError,))
    def take(self, item='apple'):
        if item == 'pear':
            raise KeyError(item)
        if item == 'stone':
            raise ValueError(item)
        self.emit('stock.taken', {'item': item})

    @lymph.rpc()
    def wait(self):
        self.entered.set()
        self.gate.wait()

    @lymph.event('stock.taken', retry=2)
    def on_taken(self, event):
        if self.failures:
            self.failures -= 1
            raise OSError('not yet')
        self.container.request('mail', 'mail.send')


class Mail(lymph.Interface):
    @lymph.rpc()
    def send(self):
        pass


class Shop(lymph.Interface):
    @lymph.rpc()
    def order(self, item='apple'):
        self.container.request('stock', 'stock.take', {'item': item})

    @lymph.rpc()
    def order_later(self):
        self.spawn(self.container.request, 'stock', 'stock.take', {})

    @lymph.rpc()
    def order_deferred(self):
        call = self.container.defer(lambda: self.container.request('stock', 'stock.take', {}))
        call.get()

    @lymph.rpc()
    def order_without_waiting(self):
        self.container.send_request('stock', 'stock.take', {}).get()

    @lymph.rpc()
    def hang(self):
        self.container.request('stock', 'stock.wait', timeout=60)


@pytest.fixture
def stock(world):
    return world.container((Stock, 'stock'))


@pytest.fixture
def client(world, stock):
    world.container((Shop, 'shop'))
    world.container((Mail, 'mail'))
    return world.container()


def rows(found):
    return [(unit.depth, unit.kind, unit.name, unit.outcome, unit.attempt) for unit in found.units]


CALLED = [
    (0, 'call', 'shop.order', 'ok', 1),
    (1, 'rpc', 'shop.order', 'ok', 1),
    (2, 'call', 'stock.take', 'ok', 1),
    (3, 'rpc', 'stock.take', 'ok', 1),
    (4, 'emit', 'stock.taken', 'ok', 1),
]
HANDLED = [
    (5, 'event', 'stock.on_taken', 'OSError', 1),
    (5, 'event', 'stock.on_taken', 'ok', 2),
    (6, 'call', 'mail.send', 'ok', 1),
    (7, 'rpc', 'mail.send', 'ok', 1),
]


def kept(container):
    """Return what the container itself has kept of the trace."""
    return [entry for entry in container.recent if entry[1] == ID]


def known(client, count, running=0):
    """Return the trace as all instances know it, once it has `count` units, some still running."""

    def told():
        found = find_trace(client, ID)
        assert (len(found.units), found.running) == (count, running), rows(found)
        return found

    return eventually(told)


@pytest.fixture
def caller(world, stock):
    """A client that is registered too, so that it is asked for its side of the calls."""
    world.container((Shop, 'shop'))
    world.container((Mail, 'mail'))
    return world.container((Shop, 'caller'))


def test_trace_shows_calls_an_event_its_attempts_and_what_they_call(caller):
    caller.request('shop', 'shop.order', trace_id=ID)
    found = known(caller, 9)
    assert rows(found) == CALLED + HANDLED
    assert (found.outcome, found.failures, found.running) == ('ok', 1, 0)
    assert {unit.service for unit in found.units} == {'caller', 'shop', 'stock', 'mail'}
    assert not any(unit.note for unit in found.units)
    assert [source.shift for source in found.sources] == [0, 0, 0, 0]


def test_caller_that_is_gone_leaves_a_note(client):
    client.request('shop', 'shop.order', trace_id=ID)
    found = known(client, 8)
    assert rows(found)[0] == (0, 'rpc', 'shop.order', 'ok', 1)
    assert found.units[0].note == 'its caller is not known'


@pytest.mark.parametrize('method', ['order_later', 'order_deferred', 'order_without_waiting'])
def test_call_in_the_background_belongs_to_the_work_that_made_it(caller, stock, method):
    stock.interfaces[0].failures = 0
    caller.request('shop', f'shop.{method}', trace_id=ID)
    assert rows(known(caller, 8))[2:4] == CALLED[2:4]


@pytest.mark.parametrize(('item', 'outcomes'), [
    ('pear', ['KeyError', 'KeyError']),
    ('stone', ['failed', 'ValueError']),
])  # fmt: skip
def test_error_is_named_on_both_sides(client, item, outcomes):
    with pytest.raises(LymphError):
        client.request('stock', 'stock.take', {'item': item}, trace_id=ID)
    own = [entry[8] for entry in kept(client)]
    told = find_trace(client, ID)
    assert [*own, told.units[0].outcome] == outcomes
    assert (told.outcome, told.failures, told.units[0].ok) == ('failed', 1, False)


def test_call_without_an_instance_is_kept_under_its_service(client):
    with pytest.raises(LymphError):
        client.request('nobody', 'nobody.home', trace_id=ID, retries=0)
    assert [(entry[5], entry[8]) for entry in kept(client)] == [('nobody', 'LookupFailure')]


def test_each_attempt_of_a_call_is_kept_with_its_instance(world):
    full = [world.container((Stock, 'stock'), pool_size=1) for _ in range(2)]
    for each in full:
        gevent.spawn(world.container().request, each.endpoint, 'stock.wait', timeout=9)
    for each in full:
        assert each.interfaces[0].entered.wait(5)
    client = world.container()
    with pytest.raises(LymphError):
        client.request('stock', 'stock.take', trace_id=ID, retries=1)
    assert {entry[5] for entry in kept(client)} == {each.endpoint for each in full}
    assert [(entry[8], entry[9]) for entry in kept(client)] == [
        ('overloaded', 1),
        ('overloaded', 2),
    ]
    for each in full:
        each.interfaces[0].gate.set()


def test_work_that_hangs_is_told_while_it_runs(world, caller, stock):
    waiting = gevent.spawn(caller.request, 'shop', 'shop.hang', timeout=60, trace_id=ID)
    found = known(caller, 4, running=4)
    assert rows(found) == [
        (0, 'call', 'shop.hang', 'running', 1),
        (1, 'rpc', 'shop.hang', 'running', 1),
        (2, 'call', 'stock.wait', 'running', 1),
        (3, 'rpc', 'stock.wait', 'running', 1),
    ]
    assert (found.outcome, found.running) == ('running', 4)
    assert all(unit.duration is None and unit.ok is None for unit in found.units)
    stock.interfaces[0].gate.set()
    waiting.get()
    assert known(caller, 4).outcome == 'ok'


def test_instance_that_does_not_answer_is_named(world, client):
    client.request('stock', 'stock.take', trace_id=ID)
    for each in world.containers:
        if each.interfaces and each.interfaces[0].name == 'mail':
            each._server.message_arrived = lambda link, frames: None
    found = find_trace(client, ID, timeout=0.2)
    assert {source.service: bool(source.problem) for source in found.sources} == {
        'mail': True,
        'shop': False,
        'stock': False,
    }
    assert found.units


def test_ring_forgets_the_oldest_and_tells_how_far_it_reaches(world):
    mail = world.container((Mail, 'mail'), trace_keep=2)
    client = world.container()
    assert find_trace(client, ID).sources[0].since is None
    for _ in range(3):
        client.request(mail.endpoint, 'mail.send', trace_id=ID)
    found = find_trace(client, ID)
    (source,) = found.sources
    assert (len(found.units), source.keep) == (2, 2)
    assert source.since == pytest.approx(found.units[0].started, abs=1)


def test_failure_is_still_known_however_many_calls_succeed_after_it(world):
    world.container((Stock, 'stock'), (Mail, 'mail'), trace_keep=4)
    client = world.container()
    with pytest.raises(RemoteError.KeyError):
        client.request('stock', 'stock.take', {'item': 'pear'}, trace_id=ID)
    for _ in range(10):
        client.request('mail', 'mail.send')
    assert [row[2:4] for row in rows(find_trace(client, ID))] == [('stock.take', 'KeyError')]
    assert [each.trace_id for each in latest_traces(client, failed=True).traces] == [ID]


def test_event_that_is_given_up_says_so(world):
    class Once(lymph.Interface):
        @lymph.event('once')
        def on_once(self, event):
            raise OSError

    once = world.container((Once, 'once'))
    trace.set_id(ID)
    once.interfaces[0].emit('once')
    assert rows(known(once, 2))[1] == (1, 'event', 'once.on_once', 'OSError, given up', 1)


def test_with_a_keep_of_0_nothing_is_kept(world):
    world.container((Stock, 'stock'), (Mail, 'mail'), trace_keep=0)
    client = world.container(trace_keep=0)
    client.request('stock', 'stock.take', trace_id=ID)
    found = find_trace(client, ID)
    assert (found.units, found.sources[0].keep) == ((), 0)
    assert list(client.recent) == []


def test_calls_of_the_builtin_interface_take_no_place(client, stock):
    client.request('stock', 'lymph.ping', trace_id=ID)
    assert find_trace(client, ID).units == ()


def test_answer_is_bounded_and_keeps_what_failed(world):
    container = world.container((Stock, 'stock'))
    for number in range(700):
        failed = 'KeyError' if number > 690 else 'ok'
        entry = 'rpc', ID, b'%d' % number, None, 'stock.take', '', float(number), 0.1, failed, 1
        container.recent.put(entry)
    answer = world.container().request('stock', 'lymph.trace', {'id': ID})
    assert (len(answer['entries']), answer['left_out']) == (500, 200)
    assert sum(not entry['ok'] for entry in answer['entries']) == 9
    assert [entry['started'] for entry in answer['entries']] == sorted(
        entry['started'] for entry in answer['entries']
    )


@pytest.mark.parametrize('id', ['', 'a b', 'a' * 129])
def test_invalid_id_is_refused(client, id):
    with pytest.raises(RemoteError.ValueError, match='expected a trace id'):
        client.request('stock', 'lymph.trace', {'id': id})
    with pytest.raises(ValueError, match='expected a trace id'):
        find_trace(client, id)


def test_latest_traces_have_the_root_that_another_instance_knows(caller):
    caller.request('shop', 'shop.order', trace_id=ID)
    known(caller, 9)
    (newest,) = latest_traces(caller).traces
    assert (newest.trace_id, newest.kind, newest.name, newest.service) == (
        ID,
        'call',
        'shop.order',
        'caller',
    )
    assert (newest.units, newest.failures, newest.instances, newest.root) == (9, 1, 4, True)


def test_latest_traces_come_newest_first_and_are_filtered(world):
    world.container((Stock, 'stock'), (Mail, 'mail'))
    client = world.container()
    ids = [trace.new_id() for _ in range(4)]
    for id, item in zip(ids, ['pear', 'apple', 'pear', 'apple'], strict=True):
        try:
            client.request('stock', 'stock.take', {'item': item}, trace_id=id)
        except LymphError:
            continue
    assert [each.trace_id for each in latest_traces(client).traces] == ids[::-1]
    assert [each.trace_id for each in latest_traces(client, 2).traces] == ids[:1:-1]
    assert [each.trace_id for each in latest_traces(client, slow=60).traces] == []
    failed = [each.trace_id for each in latest_traces(client, failed=True).traces]
    assert [id for id in failed if id in (ids[0], ids[2])] == [ids[2], ids[0]]


def test_units_in_progress_are_no_part_of_the_ring():
    recent = RecentWork(1)
    keys = [recent.begin('event', ID, 'e', None, f'a.{n}', 'q', 0.0) for n in range(3)]
    assert len(recent.of(ID)) == 3
    for key in keys:
        recent.end(key, 'ok')
    assert [entry[4] for entry in recent.of(ID)] == ['a.2']
    recent.end(keys[0], 'ok')
    assert len(recent.of(ID)) == 1


class Ledger(lymph.Interface):
    @serial_event('booked', partition_count=2, key=lambda interface, event: event['to'])
    def on_booked(self, event):
        self.container.request('mail', 'mail.send')


def test_serial_event_is_fed_and_handled_below_its_emission(world):
    ledger = world.container((Ledger, 'ledger'), (Mail, 'mail'))
    trace.set_id(ID)
    ledger.interfaces[0].emit('booked', {'to': 'a'})
    found = known(ledger, 5)
    assert sorted(rows(found)[1:3]) == [
        (1, 'event', 'ledger.on_booked', 'ok', 1),
        (1, 'feed', 'ledger.on_booked', 'ok', 1),
    ]
    assert rows(found)[0] == (0, 'emit', 'booked', 'ok', 1)
    event = next(unit for unit in found.units if unit.kind == 'event')
    call = next(unit for unit in found.units if unit.kind == 'call')
    assert found.units[call.parent or 0] == event
    assert (event.peer or '').startswith('ledger.on_booked.')


class Nightly(lymph.Interface):
    @lymph.task()
    def clean(self):
        pass


def test_latest_traces_leave_out_questions_but_not_tasks(world):
    nightly = world.container((Nightly, 'nightly'))
    trace.set_id(ID)
    nightly.interfaces[0].clean.apply()
    trace.set_id('asked')
    nightly.request('nightly', 'lymph.ping')
    (found,) = latest_traces(nightly).traces
    assert (found.trace_id, found.kind, found.name) == (ID, 'emit', 'lymph.task.nightly.clean')
