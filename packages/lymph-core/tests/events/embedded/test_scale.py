"""Behaviour of a store with very many events or queues, tested without timing."""

from __future__ import annotations

import gc
import logging
import os
import re
import sqlite3
import tracemalloc
from collections import Counter

import gevent
import pytest

from lymph.core._system.lock_files import FileMutex
from lymph.core._system.wakeups import WakeupSocket
from lymph.core.events import Event
from lymph.events._embedded.database import open_database
from lymph.events._embedded.routing import Routes
from lymph.events.base import Subscription
from lymph.exceptions import EmitFailure
from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually


@pytest.fixture
def often(monkeypatch):
    """Shorten the interval of the periodic check."""
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)


def rows(database, query):
    with sqlite3.connect(database) as db:
        return db.execute(query).fetchall()


def emit_many(system, count, filling='', topic='thing', **options):
    numbers = iter(range(count))

    def run():
        for n in numbers:
            system.emit(Event(topic, {'n': n, 'filling': filling}), **options)

    gevent.joinall([gevent.spawn(run) for _ in range(100)], raise_error=True)


# What SQLite does.


def statements_of(system):
    """Return a list to which every further SQL statement of a system is appended."""
    seen = []
    system._committer.run(lambda db: db.set_trace_callback(seen.append), 5)
    return seen


def test_no_statement_on_the_path_of_an_event_scans_a_table(start, subscribe, emit, database):
    system = start()
    statements = statements_of(system)

    def handle(event):
        if event.body['n'] == 'fails':
            raise RuntimeError('broken')

    subscribe(system, handle, retry=1)
    subscribe(system, handle, queue='exclusive', exclusive=True, retry=1)
    for n in ('fine', 'fails'):
        emit(system, n)
    emit(system, 'late', delay=0.1)
    letters = eventually(lambda: len(found := system.dead_letters.read()) == 2 and found)
    subscription = subscribe(system, handle, queue='passing', durable=False)
    emit(system, 'fine')
    system.unsubscribe(subscription)
    system.dead_letters.read('queue', after=letters[0].id)
    system.dead_letters.find_all([letter.id for letter in letters])
    assert system.dead_letters.replay(letters[0].id) == 1
    assert system.dead_letters.drop(letters[1].id) == 1
    system.on_stop()
    scans = set()
    with sqlite3.connect(database) as db:
        for statement in statements:
            # what a trigger does is told as a comment
            if re.match(r'(SELECT|UPDATE|DELETE|INSERT)\b', statement.strip()):
                for *_, step in db.execute(f'EXPLAIN QUERY PLAN {statement}'):
                    if re.match(r'(SCAN (messages|events|dead_letters)\b|USE TEMP)', step):
                        scans.add((statement, step))
    seen = '\n'.join(statements)
    for needed in ('messages_failed', 'SET due = NULL', 'INTO dead_letters', '(ended)'):
        assert needed in seen
    # what is leased is found over an index of what is leased, which is as little as is handled
    allowed = 'USING INDEX messages_leased'
    # the oldest dead letters are read in the order of the table, up to a limit
    assert {scan for scan in scans if allowed not in scan[1]} == set()


def test_write_ahead_log_is_bounded_and_shrinks_after_a_long_read(start, subscribe, emit, database):
    system = start()
    system.unsubscribe(subscribe(system, Inbox()))
    log = database.with_name('events.sqlite-wal')
    emit_many(system, 2000, 'x' * 5000)
    assert log.stat().st_size < 10_000_000
    with sqlite3.connect(database, isolation_level=None) as reader:
        reader.execute('BEGIN')
        reader.execute('SELECT count(*) FROM events').fetchone()
        emit_many(system, 4000, 'x' * 5000)
        grown = log.stat().st_size
        reader.execute('COMMIT')
    assert grown > 17_000_000  # nothing can be written back that somebody may still read
    emit_many(system, 500, 'x' * 5000)
    assert log.stat().st_size < 17_000_000


def test_disk_space_of_handled_events_is_freed(start, subscribe, database, often):
    system = start()
    system.unsubscribe(subscribe(system, Inbox()))
    emit_many(system, 3000, 'x' * 20_000)
    assert database.stat().st_size > 50_000_000
    subscribe(system, lambda event: None)
    eventually(lambda: database.stat().st_size < 5_000_000, 60)


def test_free_pages_are_released_a_few_at_a_time(start, subscribe, database, often):
    system = start()
    system.unsubscribe(subscribe(system, Inbox()))
    emit_many(system, 1000, 'x' * 20_000)
    transactions, statements = [], statements_of(system)
    subscribe(system, lambda event: None)
    eventually(lambda: rows(database, 'PRAGMA page_count')[0][0] < 2000, 60)
    for statement in statements:
        if statement.startswith('BEGIN'):
            transactions.append(0)
        elif 'incremental_vacuum' in statement:
            transactions[-1] += 1
    assert 0 < max(transactions) <= 250
    assert sum(transactions) > 2000


def test_many_dead_letters_are_counted_without_reading_them(start, database):
    system = start()
    with sqlite3.connect(database) as db:
        db.executemany(
            "INSERT INTO dead_letters VALUES (?, ?, x'', 'E', 1, 1, 1)",
            ((n, f'queue{n % 2}') for n in range(1, 2001)),
        )
    statements = statements_of(system)
    oldest, count = system.dead_letters.oldest('queue0', 3)
    assert ([letter.id for letter in oldest], count) == (['2', '4', '6'], 1000)
    oldest, count = system.dead_letters.oldest(limit=3)
    assert ([letter.id for letter in oldest], count) == (['1', '2', '3'], 2000)
    assert sum(each.startswith('SELECT') for each in statements) == 4


# Queues.


def test_temporary_queue_ends_at_once_and_is_emptied_in_batches(
    start, subscribe, database, often, monkeypatch
):
    system, inbox, workers = start(), Inbox(), start(pool_size=1)
    blocked = gevent.event.Event()
    workers.workers.start(blocked.wait)  # nothing is fetched
    subscription = subscribe(workers, inbox, queue='passing', durable=False)
    subscribe(system, lambda event: None, 'other', queue='other')
    emit_many(system, 2000)
    waiting = 'SELECT count(*) FROM messages'
    assert rows(database, waiting) == [(2000,)]
    with monkeypatch.context() as nobody_cleans_up:
        nobody_cleans_up.setattr('lymph.events._embedded.cleanup.remove_deleted', lambda db: False)
        workers.unsubscribe(subscription)
        assert rows(database, waiting) == [(1500,)]  # one bit went with the end of the queue
    blocked.set()
    again = subscribe(workers, inbox, queue='passing', durable=False)
    emit_many(system, 1, topic='thing')
    eventually(lambda: inbox.events)
    eventually(lambda: rows(database, waiting) == [(0,)], 60)
    eventually(lambda: rows(database, 'SELECT count(*) FROM queues WHERE temporary = 2') == [(0,)])
    assert len(inbox.events) == 1
    workers.unsubscribe(again)


def test_emitter_wakes_only_the_queues_that_collect_the_event(start, subscribe, emit, tmp_path):
    system = start()
    for n in range(50):
        system.declare(Subscription(f'queue{n}', (f'topic{n}',), print))
    heard = []
    bells = [
        WakeupSocket(tmp_path / 'events' / 'bells', f'queue{n}', lambda n=n: heard.append(n))
        for n in range(50)
    ]
    emit(system, topic='topic7')
    eventually(lambda: heard)
    emit(system, topic='topic9')
    eventually(lambda: 9 in heard)
    assert set(heard) == {7, 9}
    for bell in bells:
        bell.close()


def test_event_that_no_queue_collects_is_not_stored(start, emit, database):
    emit(start(), topic='nobody')
    assert rows(database, 'SELECT count(*) FROM events') == [(0,)]


def test_routes_of_many_queues_are_found_and_follow_changes(tmp_path):
    db = open_database(tmp_path / 'events.sqlite')
    routes = Routes()
    with db:
        for n in range(1000):
            db.execute('INSERT INTO queues (name, temporary) VALUES (?, 0)', (f'queue{n}',))
            db.execute('INSERT INTO bindings VALUES (?, ?)', (n + 1, f'topic{n}.#'))
    assert [name for _, name in routes.find(db, 'topic7.x')] == ['queue7']
    for n in range(5000):  # more topics than are remembered
        assert len(routes.find(db, f'topic{n % 1000}.{n}')) == 1
    db.execute("INSERT INTO bindings VALUES (9, '#')")
    db.execute('UPDATE changes SET number = 5')
    assert {name for _, name in routes.find(db, 'topic7.x')} == {'queue7', 'queue8'}
    db.close()


# Backlogs.


def test_consumer_that_starts_on_a_backlog_fetches_no_more_than_it_can_handle(
    start, subscribe, database
):
    emitter = start()
    emitter.unsubscribe(subscribe(emitter, Inbox()))
    emit_many(emitter, 20_000)
    most, handled = [0], [0]

    def handle(event):
        handled[0] += 1
        if handled[0] % 1000 == 1:
            leased = 'SELECT count(*) FROM messages WHERE owner IS NOT NULL'
            most[0] = max(most[0], rows(database, leased)[0][0])
        gevent.sleep(0)

    consumer = start(pool_size=50)
    tracemalloc.start()
    try:
        subscribe(consumer, handle)
        eventually(lambda: handled[0] == 20_000, 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # an acknowledgement may wait for its transaction while the next events are leased
    assert 0 < most[0] <= 150
    assert peak < 4_000_000
    eventually(lambda: rows(database, 'SELECT count(*) FROM messages') == [(0,)])


def test_delayed_and_failed_events_among_many_arrive_when_due(start, subscribe):
    system, handled, failed = start(), Counter(), Counter()
    system.unsubscribe(subscribe(system, Inbox(), 'backlog', 'late', queue='backlog'))
    emit_many(system, 2000, topic='backlog')

    def handle(event):
        assert event.body['filling'] == 'soon'
        if event.body['n'] % 10 == 0 and event.attempt == 1:
            failed[event.body['n']] += 1
            raise RuntimeError('once')
        handled[event.body['n']] += 1

    logging.disable()
    try:
        for exclusive in (False, True):
            subscription = subscribe(
                system, handle, 'late', queue=f'late{exclusive}', retry=1, exclusive=exclusive
            )
            emit_many(system, 100, 'never', topic='late', delay=3600)
            emit_many(system, 300, 'soon', topic='late', delay=0.2)
            eventually(lambda: len(handled) == 300, 60)
            assert (set(handled.values()), set(failed.values())) == ({1}, {1})
            assert len(failed) == 30
            system.unsubscribe(subscription)
            handled.clear()
            failed.clear()
    finally:
        logging.disable(logging.NOTSET)


# An emitter that has to wait.


def test_emitter_keeps_no_event_that_it_gave_up_while_the_store_was_locked(start, tmp_path):
    system = start(confirm_timeout=2)
    failed = []

    def emit():
        for _ in range(2):
            try:
                system.emit(Event('thing', {'filling': os.urandom(50_000)}))
            except EmitFailure as error:
                failed.append(str(error))

    turns = FileMutex(tmp_path / 'events' / 'events.sqlite-turn')
    with turns.hold():
        tracemalloc.start()
        try:
            jobs = [gevent.spawn(emit) for _ in range(200)]
            gevent.joinall(jobs, raise_error=True)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    turns.close()
    assert len(failed) == 400
    assert all('did not answer within 2 s' in each for each in failed)
    assert held < 3_000_000  # bytes; what was given up is 20 million, one group at most is held
    system.emit(Event('thing'))


def test_emitters_fail_in_time_while_another_program_locks_the_database(
    start, subscribe, emit, database
):
    system, inbox = start(confirm_timeout=1), Inbox()
    subscribe(system, inbox)
    with sqlite3.connect(database, isolation_level=None) as program:
        program.execute('BEGIN IMMEDIATE')
        jobs = [gevent.spawn(emit, system, n) for n in range(50)]
        gevent.joinall(jobs)
        program.execute('ROLLBACK')
    assert {type(job.exception) for job in jobs} == {EmitFailure}
    emit(system, 'after')
    eventually(lambda: 'after' in inbox.numbers)
    # those that had begun were not known to be safe, the others were taken back
    assert len(inbox.numbers) <= 51
