from __future__ import annotations

import logging
import re
from decimal import Decimal
from enum import IntEnum
from uuid import UUID

import gevent
import pytest
from gevent.event import Event as Signal

import lymph
from lymph.core._protocol.partitions import partition_of
from lymph.core.events import Event
from lymph.core.failures import error_name
from lymph.exceptions import SubscriptionError
from lymph.patterns._serial_events.carrying import carried, is_carried, restored, topic_of
from lymph.patterns._serial_events.keys import key_text
from lymph.patterns.serial_events import serial_event
from lymph.testing.contracts._events.outcomes import RAISED
from lymph.testing.waiting import eventually, let_pass


class Log:
    """Records the events that the handlers of a test have handled, in order."""

    def __init__(self):
        self.seen = []
        self.running = {}
        self.most = 0

    def handle(self, event):
        key = event.get('key')
        self.running[key] = self.running.get(key, 0) + 1
        self.most = max(self.most, self.running[key])
        let_pass(0.001, 'a handler during which others could run')
        self.seen.append((key, event['n']))
        self.running[key] -= 1

    def of(self, key):
        return [n for each, n in self.seen if each == key]


log = Log()


@pytest.fixture(autouse=True)
def _fresh_log():
    log.__init__()


class Shop(lymph.Interface):
    @serial_event('order.*', partition_count=4, key=lambda self, event: event['key'])
    def ship(self, event):
        log.handle(event)


def emit(container, count=20, keys='abcde'):
    for n in range(count):
        for key in keys:
            container.emit_event('order.paid', {'key': key, 'n': n})


def owned(*containers):
    return [
        sorted(container.serial_events.handlers['shop.ship'].partitions) for container in containers
    ]


def test_events_of_a_key_are_handled_one_at_a_time_and_in_order(world):
    container = world.container(Shop)
    emit(container)
    eventually(lambda: len(log.seen) == 100)
    assert all(log.of(key) == list(range(20)) for key in 'abcde')
    assert log.most == 1


def test_keys_of_different_partitions_are_handled_concurrently(world):
    entered = []

    class Slow(lymph.Interface):
        @serial_event('order.*', key=lambda self, event: event['key'])
        def ship(self, event):
            entered.append(event['key'])
            gevent.sleep(1000)

    container = world.container(Slow)
    keys = {partition_of(key, 12): key for key in map(str, range(100))}
    for key in keys.values():
        container.emit_event('order.paid', {'key': key})
        container.emit_event('order.paid', {'key': key})
    eventually(lambda: len(entered) == 12)
    assert sorted(entered) == sorted(keys.values())


def test_instances_share_the_partitions(world):
    containers = [world.container(Shop) for _ in range(3)]
    eventually(lambda: sorted(map(len, owned(*containers))) == [1, 1, 2])
    assert sorted(n for each in owned(*containers) for n in each) == [0, 1, 2, 3]
    emit(containers[0])
    eventually(lambda: len(log.seen) == 100)
    assert all(log.of(key) == list(range(20)) for key in 'abcde')


def test_partitions_of_a_draining_instance_are_taken_over(world):
    first, second = world.container(Shop), world.container(Shop)
    eventually(lambda: list(map(len, owned(first, second))) == [2, 2])
    emit(second, 10)
    first.drain()
    eventually(lambda: owned(second) == [[0, 1, 2, 3]])
    emit(second, 10)
    eventually(lambda: len(log.seen) == 100)
    assert all(log.of(key) == [*range(10), *range(10)] for key in 'abcde')


def test_event_keeps_its_type_id_and_headers(world):
    seen = []

    class Careful(lymph.Interface):
        @serial_event('order.#')
        def ship(self, event):
            seen.append(event)

    container = world.container(Careful)
    sent = Event('order.paid', {'n': 1}, 'shop', {'trace_id': 'abc', 'x': 1})
    container.events.emit(sent)
    (event,) = eventually(lambda: seen)
    assert (event.type, event.id, event.body, event.source) == (
        sent.type,
        sent.id,
        sent.body,
        'shop',
    )
    assert event.headers == sent.headers
    assert event.attempt == 1


def test_event_type_is_the_default_key(world):
    seen = []

    class Careful(lymph.Interface):
        @serial_event('order.#', partition_count=3)
        def ship(self, event):
            seen.append((event.type, event['n']))
            gevent.sleep(0)

    container = world.container(Careful)
    for n in range(10):
        for event_type in ('order.paid', 'order.sent'):
            container.emit_event(event_type, {'n': n})
    eventually(lambda: len(seen) == 20)
    for event_type in ('order.paid', 'order.sent'):
        assert [n for each, n in seen if each == event_type] == list(range(10))


def test_event_that_an_interface_emits_in_on_start_is_kept_for_its_serial_handler(world):
    class Eager(Shop):
        def on_start(self):
            self.emit('order.paid', {'key': 'a', 'n': 1})
            let_pass(0.05, 'in which a handler that is not held back would run')
            assert log.seen == []

    world.container((Eager, 'shop'))
    eventually(lambda: log.seen == [('a', 1)])


def test_event_that_a_worker_emits_in_on_start_is_kept_for_serial_handlers(world):
    class Eager(Shop):
        def on_start(self):
            if self.container.worker:
                self.emit('order.paid', {'key': 'a', 'n': 1})

    world.container((Eager, 'shop'), worker=True)
    world.container((Eager, 'shop'))
    eventually(lambda: log.seen == [('a', 1)])


def test_handler_of_all_events_receives_each_event_once(world):
    seen = []

    class Curious(lymph.Interface):
        @serial_event('#')
        def look(self, event):
            seen.append(event.type)

    container = world.container(Curious)
    container.emit_event('one', {})
    container.emit_event('two', {})
    eventually(lambda: len(seen) == 2)
    container.emit_event('three', {})  # after whatever the others caused
    eventually(lambda: 'three' in seen)
    assert seen[2:] == ['three']
    assert sorted(seen) == ['one', 'three', 'two']


@pytest.mark.parametrize('wrong', [{}, {'key': None}])
def test_event_without_a_key_becomes_a_dead_letter_and_blocks_no_other(world, wrong):
    container = world.container(Shop)
    container.emit_event('order.paid', {**wrong, 'n': 0})
    container.emit_event('order.paid', {'key': 'a', 'n': 1})
    eventually(lambda: log.seen == [('a', 1)])
    (letter,) = eventually(lambda: container.events.dead_letters.read('shop.ship'))
    assert 'key' in letter.error


def test_failed_event_is_retried_before_the_next_one_of_its_key(world):
    attempts = []

    class Clumsy(lymph.Interface):
        @serial_event('order.*', retry=1)
        def ship(self, event):
            attempts.append((event['n'], event.attempt))
            if event['n'] == 1 and event.attempt == 1:
                raise RuntimeError('not yet')

    container = world.container(Clumsy)
    for n in (1, 2):
        container.emit_event('order.paid', {'n': n})
    eventually(lambda: len(attempts) == 3)
    assert attempts == [(1, 1), (1, 2), (2, 1)]


def test_upgraded_serial_handler_does_not_receive_types_it_no_longer_handles(world):
    class Upgraded(lymph.Interface):
        @serial_event('order.sent', partition_count=1, key=lambda self, event: 'one')
        def ship(self, event):
            log.handle(event)

    old = world.container((Shop, 'shop'))
    old.stop()
    emitter = world.container()
    emitter.emit_event('order.paid', {'key': 'waits to be fed', 'n': 1})
    waiting = carried(
        Event('order.paid', {'key': 'in a partition', 'n': 2}), topic_of('shop.ship', 0)
    )
    emitter.events.emit(waiting)
    emitter.emit_event('order.sent', {'key': 'handled', 'n': 3})
    world.container((Upgraded, 'shop'))
    eventually(lambda: log.seen == [('handled', 3)])
    letters = eventually(lambda: len(world.event_hub.dead_letters.read()) == 2) and (
        world.event_hub.dead_letters.read()
    )
    assert {letter.queue for letter in letters} == {'shop.ship', 'shop.ship.0'}
    assert all('order.paid' in letter.error for letter in letters)


def test_newest_version_in_a_container_handles_the_events(world):
    handled = []

    class New(Shop):
        @serial_event('order.*', partition_count=4, key=lambda self, event: event['key'])
        def ship(self, event):
            handled.append(self.version)

    container = world.container((Shop, 'shop', '1.0.0'), (New, 'shop', '1.1.0'))
    emit(container, 1)
    eventually(lambda: len(handled) == 5)
    assert handled == ['1.1.0'] * 5
    assert log.seen == []


def test_partitions_above_a_lowered_count_are_still_consumed(world):
    class Fewer(lymph.Interface):
        @serial_event('order.*', partition_count=2, key=lambda self, event: event['key'])
        def ship(self, event):
            log.handle(event)

    before = world.container((Shop, 'shop'))
    before.stop()
    world.container(events=True).emit_event('order.paid', {'key': 'a', 'n': 1})
    for partition in range(4):
        topic = topic_of('shop.ship', partition)
        event = Event('order.paid', {'key': f'waiting-{partition}', 'n': partition})
        world.containers[1].events.emit(carried(event, topic))
    after = world.container((Fewer, 'shop'))
    eventually(lambda: len(log.seen) == 5)
    assert owned(after) == [[0, 1, 2, 3]]
    after.emit_event('order.paid', {'key': 'z', 'n': 1})
    eventually(lambda: log.of('z') == [1])


def test_partitioner_that_fails_to_leave_does_not_prevent_the_stop(world):
    container = world.container(Shop, start=False)
    leave = container.serial_events.partitioner.leave

    def fail(group, member):
        leave(group, member)
        raise RuntimeError('cannot leave')

    container.serial_events.partitioner.leave = fail
    container.start()
    assert container.stop() == 0


def test_worker_handles_no_serial_events(world):
    class Worked(Shop):
        @lymph.task()
        def work(self):
            pass

    worker = world.container(Worked, worker=True)
    assert worker.serial_events.handlers == {}


def test_number_of_partitions_is_a_metric(world):
    container = world.container(Shop)
    eventually(
        lambda: ('serial_events.partitions', 4, {'handler': 'shop.ship'}) in [*container.metrics]
    )


def test_serial_handler_stays_a_plain_method():
    class Plain(Shop):
        def ship(self, event):
            return 'shipped', event

    assert Shop.ship.__name__ == 'ship'
    assert Plain.ship(None, 5) == ('shipped', 5)


@pytest.mark.parametrize(
    ('arguments', 'options', 'error'),
    [
        ((), {}, TypeError),
        ((lambda self, event: None,), {}, TypeError),
        (('a..b',), {}, ValueError),
        (('a',), {'partition_count': 0}, ValueError),
        (('a',), {'partition_count': '4'}, ValueError),
        (('a',), {'partition_count': True}, ValueError),
        (('a',), {'retry': -1}, ValueError),
        (('a',), {'key': lambda event: ''}, TypeError),
    ],
)
def test_invalid_declaration_raises_at_once(arguments, options, error):
    with pytest.raises(error):
        serial_event(*arguments, **options)


def test_handler_must_take_the_event_and_cannot_be_declared_twice():
    with pytest.raises(TypeError, match='parameters self and event'):

        @serial_event('a')
        def none(self):
            pass

    with pytest.raises(TypeError, match='declared as event already'):

        @serial_event('a')
        @lymph.event('a')
        def both(self, event):
            pass


@pytest.mark.parametrize('taken', ['ship', 'ship.0', 'ship.11', 'ship.12'])
def test_handler_cannot_use_the_queue_of_a_serial_handler(taken):
    with pytest.raises(TypeError, match=rf"found '{re.escape(taken)}' for (ship|other) and "):

        class Taken(lymph.Interface):
            @lymph.event('thing', queue_name=taken)
            def other(self, event):
                pass

            @serial_event('order.*')
            def ship(self, event):
                pass


def test_carried_event_is_restored():
    event = Event('order.paid', {'n': 1}, 'me', {'trace_id': 'x'}, attempt=3)
    sent = carried(event, topic_of('shop.ship', 3))
    assert is_carried(sent)
    assert not is_carried(event)
    assert sent.type == 'lymph.serial.shop.ship.3'
    back = restored(sent)
    assert (back.type, back.body, back.source, back.headers, back.id) == (
        event.type,
        event.body,
        event.source,
        event.headers,
        event.id,
    )


@pytest.mark.parametrize('n', range(len(RAISED)))
def test_any_exception_of_a_key_function_makes_the_event_a_dead_letter_at_once(n, world):
    calls = []

    def key(interface, event):
        calls.append(event['key'])
        if event['key'] == 'bad':
            raise RAISED[n]()
        return event['key']

    class Keyed(lymph.Interface):
        @serial_event('order.*', partition_count=2, key=key)
        def ship(self, event):
            log.handle(event)

    container = world.container((Keyed, 'shop'))
    emit(container, 1, ['bad', 'good'])
    eventually(lambda: log.seen == [('good', 0)])
    (letter,) = world.event_hub.dead_letters.read('shop.ship')
    assert f'the key function raised {error_name(RAISED[n]())}' in letter.error
    assert calls == ['bad', 'good']


class OddText(str):
    def encode(self, *arguments):
        raise SystemExit


class OddUuid(UUID):
    def __str__(self):
        raise SystemExit


class Key(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    'key',
    [
        *(None, True, False, 1.5, [], {}, ('a', 1), bytearray(b'x'), Decimal(5)),
        *('surrogate \udcff', OddText('\udcff')),
    ],
    ids=repr,
)
def test_key_that_is_not_text_int_uuid_or_bytes_is_rejected(key, world):
    class Keyed(lymph.Interface):
        @serial_event('order.*', partition_count=2, key=lambda self, event: key)
        def ship(self, event):
            log.handle(event)

    emit(world.container((Keyed, 'shop')), 1, ['a'])
    (letter,) = eventually(lambda: world.event_hub.dead_letters.read('shop.ship'))
    assert 'expected a text, int, UUID or bytes as key, found' in letter.error
    letter.error.encode()


KEYS = [
    *(0, -5, 2**63, 10**5000, -(10**5000), Key.ONE),
    *(UUID(int=7), OddUuid(int=7)),
    *(b'', b'\x00\xff', bytes(1000)),
    *('', 'gr\xfc\xdfe', 'x' * 100_000, OddText('a')),
]


def test_events_with_text_int_uuid_and_bytes_keys_arrive_in_order(world):
    class Keyed(lymph.Interface):
        @serial_event('order.*', partition_count=2, key=lambda self, event: KEYS[event['key']])
        def ship(self, event):
            log.handle(event)

    emit(world.container((Keyed, 'shop')), 3, range(len(KEYS)))
    eventually(lambda: len(log.seen) == 3 * len(KEYS))
    assert all(log.of(key) == [0, 1, 2] for key in range(len(KEYS)))
    assert log.most == 1


@pytest.mark.parametrize(
    ('key', 'text'),
    [
        (5, '5'),
        (-(2**70), str(-(2**70))),
        (10**4300, hex(10**4300)),
        (Key.ONE, '1'),
        (UUID(int=10), '00000000-0000-0000-0000-00000000000a'),
        (OddUuid(int=10), '00000000-0000-0000-0000-00000000000a'),
        (b'a\xff', 'a\xff'),
        (OddText('a'), 'a'),
    ],
    ids=range(8),
)
def test_text_of_a_key_is_the_same_in_every_process(key, text):
    assert key_text(key) == text


def test_next_event_is_handled_after_any_exception_of_a_serial_handler(world):
    class Failing(lymph.Interface):
        @serial_event('order.*', partition_count=1, key=lambda self, event: 'one')
        def ship(self, event):
            raise RAISED[event['n']]()

    emit(world.container((Failing, 'shop')), len(RAISED), ['a'])
    letters = eventually(
        lambda: (
            (found := world.event_hub.dead_letters.read('shop.ship.0'))
            and len(found) == len(RAISED)
            and found
        )
    )
    for n, letter in enumerate(letters):
        assert letter.error.startswith(error_name(RAISED[n]()))


def test_release_of_a_partition_is_retried_until_it_succeeds(world, monkeypatch):
    monkeypatch.setattr('lymph.patterns._serial_events.handlers._AFTER_ERROR', 0.01)
    first = world.container(Shop)
    eventually(lambda: owned(first) == [[0, 1, 2, 3]])
    events, failures = first.events, iter([SystemExit(1), RuntimeError('no')])
    unsubscribe = events.unsubscribe

    def fail_at_first(subscription):
        for failure in failures:
            raise failure
        unsubscribe(subscription)

    monkeypatch.setattr(events, 'unsubscribe', fail_at_first)
    second = world.container(Shop)
    eventually(lambda: sorted(map(len, owned(first, second))) == [2, 2])
    emit(second)
    eventually(lambda: len(log.seen) == 100)
    assert log.most == 1


def test_stopping_while_partitions_are_subscribed_logs_no_warning(world, caplog):
    container = world.container(Shop, start=False)
    subscribe, stopping, waiting = container.events.subscribe, Signal(), Signal()

    def interrupted(subscription):
        if subscription.queue_name[-1].isdigit():  # a partition
            waiting.set()
            stopping.wait()
            raise SubscriptionError('the event system is not running')
        subscribe(subscription)

    container.events.subscribe = interrupted
    pause = container.events.pause
    container.events.pause = lambda: (stopping.set(), gevent.sleep(1e-6), pause())
    container.start()
    waiting.wait(5)
    container.stop()
    assert stopping.is_set()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
