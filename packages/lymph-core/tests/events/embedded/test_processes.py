"""Several processes share the file; some of them are killed or suspended."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3

import gevent
import pytest

from lymph.exceptions import ConfigurationError, EmitFailure
from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually

EMITTER = """
    name, greenlets = arguments[0], int(arguments[1])

    def emit(greenlet):
        n = 0
        while True:
            number = f'{name}-{greenlet}-{n}'
            system.emit(Event('thing', {'n': number}))
            say(number)
            n += 1

    gevent.joinall([gevent.spawn(emit, n) for n in range(greenlets)], raise_error=True)
    """

HANGING = """
    def handler(event):
        say(event.body['n'], event.attempt)
        gevent.sleep(1000)

    system.subscribe(Subscription('queue', ('thing',), handler))
    system.subscribe(Subscription('own', ('#',), handler, broadcast=True, durable=False))
    say('ready')
    gevent.sleep(1000)
    """

CONSUMER = """
    def handler(event):
        gevent.sleep(0.001)
        say(event.body['n'])

    system.subscribe(Subscription('queue', ('thing',), handler))
    say('ready')
    gevent.sleep(1000)
    """

COUNTED = """
    name, count = arguments[0], int(arguments[1])
    for n in range(count):
        system.emit(Event('thing', {'n': f'{name}-{n}'}))
    system.on_stop()
    """


def test_confirmed_events_of_a_killed_emitter_arrive(run, start, subscribe):
    system, inbox = start(), Inbox()
    system.unsubscribe(subscribe(system, inbox))
    emitter = run(EMITTER, 'a', 20)
    told = {emitter.hear() for _ in range(200)}
    emitter.kill()
    told.update(emitter.hear_all())
    subscribe(system, inbox)
    eventually(lambda: told <= set(inbox.numbers), 20)
    # no more than was under way for each greenlet
    eventually(lambda: len(inbox.events) <= len(told) + 20, 20)
    assert len(set(inbox.numbers)) == len(inbox.numbers)


def test_event_of_a_killed_consumer_is_redelivered_to_another_one_at_once(
    run, start, subscribe, emit
):
    system, inbox = start(), Inbox()
    consumer = run(HANGING)
    assert consumer.hear() == 'ready'
    emit(system, 1)
    assert {consumer.hear(), consumer.hear()} == {'1 1'}
    subscribe(system, inbox)
    emit(system, 2)
    emit(system, 3)
    consumer.kill()
    eventually(lambda: 1 in inbox.numbers, 10)
    first = next(event for event in inbox.events if event.body['n'] == 1)
    assert first.attempt == 2


def test_event_of_a_killed_consumer_is_redelivered_to_a_later_one(run, start, subscribe, emit):
    system, inbox = start(), Inbox()
    consumer = run(HANGING)
    assert consumer.hear() == 'ready'
    emit(system, 1)
    assert {consumer.hear(), consumer.hear()} == {'1 1'}
    consumer.kill()
    subscribe(system, inbox)
    eventually(lambda: [event.attempt for event in inbox.events] == [2], 10)


def test_temporary_queues_of_a_killed_process_are_removed(run, start, subscribe, emit, database):
    def temporary():
        with sqlite3.connect(database) as db:
            return db.execute('SELECT count(*) FROM queues WHERE temporary').fetchone()[0]

    system, inbox = start(), Inbox()
    consumer = run(HANGING)
    assert consumer.hear() == 'ready'
    subscribe(system, inbox)
    assert temporary() == 1
    consumer.kill()
    eventually(lambda: temporary() == 0, 10)


def stop_between_transactions(process, database):
    """Suspend a process outside a transaction, in which it would block all others."""
    with open(f'{database}-turn') as turn:
        while True:
            process.signal(signal.SIGSTOP)
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                process.signal(signal.SIGCONT)
                gevent.sleep(0)
            else:
                return


def test_suspended_consumer_keeps_its_events(run, start, subscribe, emit, database):
    system, inbox = start(), Inbox()
    consumer = run(HANGING)
    assert consumer.hear() == 'ready'
    emit(system, 1)
    assert {consumer.hear(), consumer.hear()} == {'1 1'}
    stop_between_transactions(consumer, database)
    subscribe(system, inbox)
    emit(system, 2)
    eventually(lambda: inbox.numbers == [2], 10)
    consumer.signal(signal.SIGCONT)
    consumer.kill()
    eventually(lambda: inbox.numbers == [2, 1], 10)


def test_processes_that_emit_concurrently_lose_no_event(run, start, subscribe):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    emitters = [run(COUNTED, name, 200) for name in 'ab']
    assert [emitter.wait() for emitter in emitters] == [0, 0]
    wanted = {f'{name}-{n}' for name in 'ab' for n in range(200)}
    eventually(lambda: len(inbox.events) >= 400, 20)
    assert sorted(inbox.numbers) == sorted(wanted)


def test_no_event_is_lost_when_emitters_and_consumers_are_killed_under_load(run, start, subscribe):
    told, handled = set(), set()
    consumers = [run(CONSUMER) for _ in range(2)]
    for consumer in consumers:
        assert consumer.hear() == 'ready'
    for name in 'abc':
        emitters = [run(EMITTER, f'{name}{n}', 8) for n in range(2)]
        for emitter in emitters:
            told.update(emitter.hear() for _ in range(200))
        victim = consumers.pop(0)
        handled.update(victim.hear() for _ in range(50))
        victim.kill()
        handled.update(victim.hear_all())
        for emitter in emitters:
            emitter.kill()
            told.update(emitter.hear_all())
        consumers.append(run(CONSUMER))
        assert consumers[-1].hear() == 'ready'
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    drains = [
        gevent.spawn(lambda consumer=consumer: handled.update(iter(consumer.hear, None)))
        for consumer in consumers
    ]
    try:
        eventually(lambda: not told - handled - set(inbox.numbers), 60, lambda: 'all events')
    finally:
        gevent.killall(drains)


FULL = """
    import resource
    system.subscribe(Subscription('queue', ('thing',), print))
    system.pause()
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    emitted = 0
    try:
        while True:
            system.emit(Event('thing', {'n': emitted, 'filling': 'x' * 5000}))
            emitted += 1
    except EmitFailure as error:
        say(emitted)
        say(error)
    system.on_stop()
    """


def test_full_disk_is_an_error_for_the_emitter_and_loses_no_stored_event(run, start, subscribe):
    emitter = run(FULL)
    emitted, error = int(emitter.hear()), emitter.hear()
    assert emitter.wait() == 0
    assert emitted > 0
    assert error.startswith('thing is not known to be safe: ')
    assert 'events.sqlite cannot' in error
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    eventually(lambda: len(inbox.events) >= emitted, 10)
    assert sorted(inbox.numbers) == list(range(emitted))


FORKING = """
    inbox = []
    system.subscribe(Subscription('queue', ('thing',), lambda event: inbox.append(event)))
    system.emit(Event('thing', {'n': 1}))
    child = os.fork()
    if child == 0:
        try:
            system.emit(Event('thing', {'n': 2}))
        except EmitFailure as error:
            say('child:', error)
        system.on_stop()
        os._exit(0)
    say('status:', os.waitpid(child, 0)[1])
    system.emit(Event('thing', {'n': 3}))
    while len(inbox) < 2:
        gevent.sleep(0.01)
    say('parent:', [event.body['n'] for event in inbox])
    system.on_stop()
    """


def test_forked_child_cannot_use_the_system_and_its_parent_is_unaffected(run):
    parent = run(FORKING)
    assert 'made before a fork' in parent.hear()
    assert parent.hear() == 'status: 0'
    assert parent.hear() == 'parent: [1, 3]'
    assert parent.wait() == 0


CHILDREN = """
    def handler(event):
        child = os.fork()
        if child == 0:
            say(os.getpid())
            signal.pause()
            os._exit(0)
        say(child)
        gevent.sleep(1000)

    system.subscribe(Subscription('queue', ('thing',), handler))
    say('ready')
    gevent.sleep(1000)
    """


def test_child_that_outlives_a_killed_consumer_does_not_keep_its_events(
    run, start, subscribe, emit
):
    system, inbox = start(), Inbox()
    consumer = run(CHILDREN)
    assert consumer.hear() == 'ready'
    emit(system, 1)
    child = int(consumer.hear())
    try:
        assert int(consumer.hear()) == child
        subscribe(system, inbox)
        consumer.kill()
        eventually(lambda: inbox.numbers == [1], 10)
    finally:
        os.kill(child, signal.SIGKILL)


HOLDER = """
    import fcntl
    turn = open(os.path.join(path, 'events', 'events.sqlite-turn'))
    fcntl.flock(turn, fcntl.LOCK_EX)
    say('held')
    signal.pause()
    """


def test_emitters_fail_in_time_while_another_process_locks_the_file(run, start, subscribe, emit):
    system, inbox = start(confirm_timeout=0.5), Inbox()
    subscribe(system, inbox)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1])
    holder = run(HOLDER)
    assert holder.hear() == 'held'
    for n in (2, 3):
        with pytest.raises(EmitFailure, match=r'did not answer within 0\.5 s'):
            emit(system, n)
    with pytest.raises(ConfigurationError, match=r'did not answer within 0\.2 s'):
        start(confirm_timeout=0.2)
    holder.kill()
    emit(system, 4)
    eventually(lambda: inbox.numbers == [1, 4])


EXCLUSIVE = """
    def handler(event):
        say(event.body['n'])
        if event.body['n'] == 'stop':
            gevent.sleep(1000)

    system.subscribe(Subscription('queue', ('thing',), handler, exclusive=True))
    say('ready')
    gevent.sleep(1000)
    """


def test_exclusive_queue_of_a_killed_process_is_taken_over_at_once(run, start, subscribe, emit):
    consumer = run(EXCLUSIVE)
    assert consumer.hear() == 'ready'
    system, inbox = start(stall_timeout=60), Inbox()
    emit(system, 1)
    assert consumer.hear() == '1'  # the queue is its own from here on
    subscribe(system, inbox, exclusive=True)
    for n in ('stop', 3):
        emit(system, n)
    assert consumer.hear() == 'stop'
    consumer.kill()
    eventually(lambda: inbox.numbers == ['stop', 3], 10)
    assert [event.attempt for event in inbox.events] == [2, 1]


STALLING = """
    system.on_stop()
    system = EmbeddedEventSystem(path, stall_timeout=1)
    system.on_start()

    def handler(event):
        say('begin', event.body['n'])
        gevent.sleep(0.2)
        say('end', event.body['n'])

    system.subscribe(Subscription('queue', ('thing',), handler, exclusive=True))
    say('ready')
    gevent.sleep(1000)
    """


def test_stalled_process_loses_its_exclusive_queue_and_cannot_settle_its_event(
    run, start, subscribe, emit, database
):
    consumer = run(STALLING)
    assert consumer.hear() == 'ready'
    system, inbox = start(stall_timeout=1), Inbox()
    subscribe(system, inbox, exclusive=True)
    for n in (1, 2):
        emit(system, n)
    assert consumer.hear() == 'begin 1'
    stop_between_transactions(consumer, database)
    eventually(lambda: inbox.numbers == [1, 2], 10)
    consumer.signal(signal.SIGCONT)
    # what it was doing cannot be undone, and counts no more; it begins nothing else
    assert consumer.hear() == 'end 1'
    for n in (3, 4):
        emit(system, n)
    eventually(lambda: inbox.numbers == [1, 2, 3, 4], 10)
    consumer.kill()
    assert consumer.hear_all() == []
    assert list(system.dead_letters.read('queue')) == []
