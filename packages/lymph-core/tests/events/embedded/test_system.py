from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
import tracemalloc
from contextlib import suppress

import gevent
import msgpack
import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.events import Event
from lymph.events._embedded import routing
from lymph.events._embedded.database import StoreError
from lymph.events.backoff import Backoff
from lymph.events.embedded import EmbeddedEventSystem
from lymph.exceptions import EmitFailure, SubscriptionError
from lymph.serializers.msgpack import pack
from lymph.testing.contracts._events.versions import UnbindingContract
from lymph.testing.contracts.events import EventSystemContract, Inbox
from lymph.testing.waiting import eventually, let_pass


class TestEmbeddedEventSystem(EventSystemContract, UnbindingContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path)

    def section(self):
        return {'class': 'embedded', 'path': self.path}

    def make_event_system(self):
        return EmbeddedEventSystem(self.path, backoff=Backoff(first=0.05))


def rows(database, query):
    with sqlite3.connect(database) as db:
        return db.execute(query).fetchall()


# Where the file is.


def test_events_are_stored_in_the_state_directory(tmp_path, monkeypatch):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path / 'state'))
    config = Configuration({'events': {'class': 'embedded'}})
    system = config.create_instance('events', group='lymph.events')
    system.on_start()
    system.on_stop()
    assert (tmp_path / 'state' / 'events' / 'events.sqlite').stat().st_mode & 0o777 == 0o600
    assert (tmp_path / 'state' / 'events').stat().st_mode & 0o777 == 0o700


def test_another_directory_can_be_configured(tmp_path):
    path = str(tmp_path / 'other')
    config = Configuration({'events': {'class': 'embedded', 'path': path, 'confirm_timeout': 3}})
    system = config.create_instance('events', group='lymph.events')
    system.on_start()
    system.on_stop()
    assert (tmp_path / 'other' / 'events' / 'events.sqlite').is_file()


@pytest.mark.parametrize(
    ('section', 'words'),
    [
        ({'pth': '/x'}, r"^events\.pth: unknown option .*did you mean 'path'"),
        ({'path': 'relative'}, r'^events\.path: expected an absolute path'),
        ({'path': '/dev/null/x'}, r'^events\.path: cannot keep state'),
        ({'confirm_timeout': 0}, r'^events\.confirm_timeout: expected seconds from 0.001'),
        ({'confirm_timeout': '.inf'}, r'^events\.confirm_timeout: expected'),
        ({'confirm_timeout': 'soon'}, r'^events\.confirm_timeout: expected seconds'),
    ],
)
def test_invalid_option_is_an_error_that_names_its_place(section, words):
    config = Configuration({'events': {'class': 'embedded', **section}})
    with pytest.raises(ConfigurationError, match=words):
        config.create_instance('events', group='lymph.events')


@pytest.mark.parametrize(
    'content', [b'no database at all' * 100, b'SQLite format 3\0' + b'x' * 4080]
)
def test_damaged_file_is_an_error_and_left_unchanged(start, database, content):
    database.parent.mkdir()
    database.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r'events\.sqlite is damaged.*; move it away'):
        start()
    assert database.read_bytes() == content


def test_damage_behind_the_file_header_fails_the_emitter(start, subscribe, emit, database):
    system = start()
    subscription = subscribe(system, Inbox())
    system.unsubscribe(subscription)
    for n in range(100):
        emit(system, n)
    system.on_stop()
    size = database.stat().st_size
    with database.open('r+b') as file:
        file.seek(4096)
        file.write(b'\xff' * (size - 4096))
    damaged = database.read_bytes()
    with pytest.raises((ConfigurationError, EmitFailure), match=r'events\.sqlite is damaged'):
        emit(start(), 100)
    assert database.read_bytes() == damaged


def test_file_of_a_newer_version_is_an_error_and_left_unchanged(start, database):
    start().on_stop()
    with sqlite3.connect(database) as db:
        db.execute('PRAGMA user_version = 99')
    before = database.read_bytes()
    with pytest.raises(ConfigurationError, match=r'newer lymph \(format 99, .*upgrade'):
        start()
    assert database.read_bytes() == before


FORMAT_3 = ['INDEX messages_failed']
FORMAT_4 = ['INDEX messages_suspected', 'ALTER TABLE messages DROP COLUMN losses']
FORMAT_5 = ['TABLE clocks']
FORMAT_6 = ['ALTER TABLE consumers DROP COLUMN topics']


@pytest.mark.parametrize(
    ('version', 'added'),
    [
        (1, ['TABLE claims', *FORMAT_3, *FORMAT_4, *FORMAT_5, *FORMAT_6]),
        (2, [*FORMAT_3, *FORMAT_4, *FORMAT_5, *FORMAT_6]),
        (3, [*FORMAT_4, *FORMAT_5, *FORMAT_6]),
        (4, [*FORMAT_5, *FORMAT_6]),
        (5, FORMAT_6),
    ],
)
def test_file_of_an_older_version_is_upgraded_and_keeps_its_events(
    start, subscribe, emit, database, version, added
):
    system = start()
    system.unsubscribe(subscribe(system, Inbox()))
    emit(system, 1)
    emit(system, 2, delay=0.5)
    system.on_stop()
    with sqlite3.connect(database) as db:
        for change in added:
            db.execute(change if change.startswith('ALTER') else f'DROP {change}')
        db.execute(f'PRAGMA user_version = {version}')
    system, inbox = start(), Inbox()
    subscribe(system, inbox, exclusive=True)
    eventually(lambda: inbox.numbers == [1, 2])


def test_consumer_of_an_older_version_keeps_the_topics_of_its_queue(
    start, subscribe, emit, database
):
    older, inbox = start(), Inbox()
    subscribe(older, inbox)
    with sqlite3.connect(database) as db:
        db.execute('UPDATE consumers SET topics = NULL')
    newer = start()
    subscribe(newer, print, 'other')
    newer.pause()  # or it may take the event, time and again, until that is a dead letter
    emit(older, 1)
    eventually(lambda: inbox.numbers == [1])


@pytest.mark.parametrize('seconds', [0, -1, 61])
def test_stall_timeout_out_of_range_is_an_error(tmp_path, seconds):
    section = {'class': 'embedded', 'path': str(tmp_path), 'stall_timeout': seconds}
    config = Configuration({'events': section})
    with pytest.raises(ConfigurationError, match=r'stall_timeout: expected seconds from 0.1 to 60'):
        config.create_instance('events', group='lymph.events')


def test_idle_claim_is_renewed_and_not_taken_over(start, subscribe, emit, database):
    # a claim is rightly lost when this process is held up for two thirds of its time
    first, second, other = start(stall_timeout=2), start(stall_timeout=2), start()
    kept, waiting = Inbox(), Inbox()
    subscribe(first, kept, exclusive=True)
    emit(other, 1)
    eventually(lambda: kept.numbers == [1])
    ((token, ends),) = rows(database, 'SELECT token, expires FROM claims')
    subscribe(second, waiting, exclusive=True)
    eventually(lambda: time.monotonic() > ends)
    assert rows(database, f'SELECT token FROM claims WHERE expires > {ends}') == [(token,)]
    emit(other, 2)
    eventually(lambda: kept.numbers == [1, 2])
    assert waiting.events == []


def test_instance_that_lost_its_claim_stands_by_until_the_other_one_is_gone(
    start, subscribe, emit, database
):
    system, other, inbox = start(stall_timeout=0.3), start(), Inbox()
    subscribe(system, inbox, exclusive=True)
    emit(other, 1)
    eventually(lambda: inbox.numbers == [1])
    with sqlite3.connect(database) as db:  # what another instance does after that time
        db.execute("UPDATE claims SET token = 'other', owner = 0, expires = expires + 3")
    emit(other, 2)
    let_pass(0.5, 'in which it would handle the event if it took the claim back')
    assert inbox.numbers == [1]
    with sqlite3.connect(database) as db:
        db.execute('DELETE FROM claims')
    emit(other, 3)
    eventually(lambda: inbox.numbers == [1, 2, 3])


def test_database_of_another_program_is_an_error(start, database):
    database.parent.mkdir()
    with sqlite3.connect(database) as db:
        db.execute('CREATE TABLE recipes (name TEXT)')
    with pytest.raises(ConfigurationError, match='another program'):
        start()
    assert rows(database, 'SELECT name FROM sqlite_master') == [('recipes',)]


def test_directory_in_place_of_the_file_is_an_error(start, database):
    database.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r'cannot write .*events\.sqlite: Is a directory'):
        start()


def test_file_removed_while_in_use_fails_the_emitter(start, emit, tmp_path):
    system = start()
    emit(system, 1)
    shutil.rmtree(tmp_path / 'events')
    with pytest.raises(EmitFailure, match='removed or replaced while it was in use'):
        emit(system, 2)


# How it is used.


def test_system_that_was_not_started_rejects_events_and_subscriptions(tmp_path, emit, subscribe):
    system = EmbeddedEventSystem(str(tmp_path))
    with pytest.raises(EmitFailure, match='not running'):
        emit(system)
    with pytest.raises(SubscriptionError, match='not running'):
        subscribe(system, Inbox())
    system.on_stop()


def test_stopped_system_can_start_again(start, subscribe, emit):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    system.on_stop()
    system.on_start()
    subscribe(system, inbox)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1])


def test_stopped_system_leaves_only_its_database_files(start, subscribe, emit, tmp_path):
    descriptors = os.listdir('/proc/self/fd')
    system = start()
    subscribe(system, Inbox())
    subscribe(system, Inbox(), queue='other', broadcast=True, durable=False)
    emit(system)
    system.on_stop()
    system.workers.kill()
    found = [
        os.path.join(*p.relative_to(tmp_path).parts) for p in tmp_path.rglob('*') if p.is_file()
    ]
    assert sorted(found) == ['events/events.sqlite', 'events/events.sqlite-turn']
    assert [*tmp_path.glob('events/*/*')] == []
    eventually(lambda: len(os.listdir('/proc/self/fd')) <= len(descriptors))


def test_event_for_several_queues_is_stored_once_and_deleted_after_the_last_delivery(
    start, subscribe, emit, database
):
    system, inboxes = start(), [Inbox(), Inbox(), Inbox()]
    for n, inbox in enumerate(inboxes):
        system.unsubscribe(subscribe(system, inbox, queue=f'queue{n}'))
    emit(system, 1)
    counts = 'SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM messages)'
    assert rows(database, counts) == [(1, 3)]
    for n, inbox in enumerate(inboxes):
        subscribe(system, inbox, queue=f'queue{n}')
    eventually(lambda: all(inbox.events for inbox in inboxes))
    eventually(lambda: rows(database, counts) == [(0, 0)])


def sets_in_sets(count):
    data = b'\x90'
    for _ in range(count):
        data = msgpack.packb(msgpack.ExtType(1, b'\x91' + data))
    return data


@pytest.mark.parametrize(
    'data',
    [
        b'\xc1',
        sets_in_sets(200),
        b'\x91' * 100_000,
        b'\xdd\x00\xff\xff\xff' + b'\x80' * 16_777_215,
        pack({'type': 'thing', 'id': 'x', 'body': {}, 'headers': {'x': 'y' * 17_000}}),
        pack({'type': 'thing', 'id': 'x' * 256, 'body': {}}),
    ],
    ids=['no msgpack', 'sets in sets', 'deep', 'many members', 'long headers', 'long id'],
)
def test_invalid_event_becomes_a_dead_letter_and_blocks_no_other(
    start, subscribe, emit, database, data
):
    system, inbox = start(), Inbox()
    system.unsubscribe(subscribe(system, inbox))
    emit(system, 1)
    emit(system, 2)
    with sqlite3.connect(database) as db:
        db.execute('UPDATE events SET data = ? WHERE id = 1', (data,))
    subscribe(system, inbox, sequential=True)
    eventually(lambda: inbox.numbers == [2])
    (letter,) = eventually(lambda: system.dead_letters.read('queue'))
    assert letter.event is None
    assert letter.data == data
    assert letter.error.startswith('SerializationError: expected ')
    assert len(letter.error) < 300
    assert system.dead_letters.drop(letter.id) == 1


def test_queue_of_ten_thousand_events_is_drained_in_bounded_memory(
    start, subscribe, emit, tmp_path
):
    emitter = start()
    emitter.unsubscribe(subscribe(emitter, Inbox()))
    filling = 'x' * 2000

    def emit_some():
        for _ in range(100):
            emitter.emit(Event('thing', {'filling': filling}))

    gevent.joinall([gevent.spawn(emit_some) for _ in range(100)], raise_error=True)
    emitter.on_stop()
    handled = [0]

    def count(event):
        handled[0] += 1

    consumer = start(pool_size=50)
    tracemalloc.start()
    try:
        subscribe(consumer, count)
        eventually(lambda: handled[0] == 10_000, 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000  # bytes; the events are 20 million


def test_space_in_the_file_is_reused(start, subscribe, emit, database):
    def fill_and_drain():
        system.unsubscribe(subscribe(system, Inbox()))
        jobs = [gevent.spawn(emit, system, 'x' * 20_000) for _ in range(500)]
        gevent.joinall(jobs, raise_error=True)
        inbox = Inbox()
        subscription = subscribe(system, inbox)
        eventually(lambda: len(inbox.events) == 500, 30)
        eventually(lambda: rows(database, 'SELECT count(*) FROM events') == [(0,)])
        system.unsubscribe(subscription)

    system = start()
    fill_and_drain()
    first = rows(database, 'PRAGMA page_count')[0][0]
    fill_and_drain()
    assert rows(database, 'PRAGMA page_count')[0][0] < first * 1.2


def test_emitter_killed_while_waiting_does_no_harm(start, subscribe, emit):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    emitters = [gevent.spawn(emit, system, n) for n in range(20)]
    gevent.sleep(0)
    gevent.killall(emitters)
    emit(system, 'after')
    eventually(lambda: 'after' in inbox.numbers)


def test_timeout_of_the_emitter_is_raised_unchanged(start, emit):
    system = start()
    mine = gevent.Timeout(0)

    def emit_for(timeout):
        with timeout:
            for n in range(10_000):
                emit(system, n)

    with pytest.raises(gevent.Timeout) as caught:
        emit_for(mine)
    assert caught.value is mine


def test_several_greenlets_can_subscribe_concurrently(start, subscribe, emit):
    system, inboxes = start(), [Inbox() for _ in range(5)]
    jobs = [
        gevent.spawn(subscribe, system, inbox, queue=f'queue{n}') for n, inbox in enumerate(inboxes)
    ]
    gevent.joinall(jobs, raise_error=True)
    emit(system, 1)
    eventually(lambda: all(inbox.numbers == [1] for inbox in inboxes))


def test_failed_subscription_can_be_retried(start, subscribe, emit, tmp_path):
    system, inbox = start(), Inbox()
    bells = tmp_path / 'events' / 'bells'
    bells.rmdir()
    bells.write_text('in the way')
    with pytest.raises(SubscriptionError, match='cannot consume queue'):
        subscribe(system, inbox)
    bells.unlink()
    bells.mkdir()
    subscribe(system, inbox)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1])


def test_instance_wrongly_declared_dead_recovers(start, subscribe, emit, database, monkeypatch):
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)
    system, inbox, own = start(), Inbox(), Inbox()
    subscribe(system, inbox)
    subscribe(system, own, queue='own', broadcast=True, durable=False)
    with sqlite3.connect(database) as db:
        for table in ('owners', 'consumers', 'bindings', 'queues'):
            db.execute(f'DELETE FROM {table}')
        db.execute('UPDATE changes SET number = random()')

    def arrive():
        emit(system, len(inbox.events))
        return inbox.events and own.events

    eventually(arrive)


def test_removed_wakeup_sockets_and_owner_files_are_recreated(
    start, subscribe, emit, tmp_path, monkeypatch
):
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)
    consumer, emitter, inbox = start(), start(), Inbox()
    subscribe(consumer, inbox)
    for folder in ('bells', 'owners'):
        shutil.rmtree(tmp_path / 'events' / folder)
    emit(emitter, 1)
    eventually(lambda: inbox.numbers == [1])
    eventually(lambda: [*tmp_path.glob('events/owners/*')])
    eventually(lambda: len([*tmp_path.glob('events/bells/*')]) == 2)
    emit(emitter, 2)
    eventually(lambda: inbox.numbers == [1, 2])


def test_files_of_dead_instances_are_removed(start, subscribe, tmp_path, monkeypatch):
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)
    system = start()
    subscribe(system, Inbox())
    owner, bell = tmp_path / 'events' / 'owners' / 'orphan', tmp_path / 'events' / 'bells' / 'dead'
    live = {*tmp_path.glob('events/*/*')}
    owner.touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(os.path.relpath(bell))
    for path in (owner, bell):
        os.utime(path, (0, 0))
    eventually(lambda: {*tmp_path.glob('events/*/*')} == live)


@pytest.mark.parametrize('error', [StoreError('the disk is slow'), RuntimeError('no good')])
def test_instance_wrongly_declared_dead_retries_declaring_its_queues(
    error, start, subscribe, emit, database, monkeypatch
):
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)
    failures = iter([error])
    really = routing.declare

    def fail_at_first(*arguments):
        for failure in failures:
            raise failure
        return really(*arguments)

    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    monkeypatch.setattr('lymph.events._embedded.system.declare', fail_at_first)
    with sqlite3.connect(database) as db:
        for table in ('owners', 'consumers', 'bindings', 'queues'):
            db.execute(f'DELETE FROM {table}')
        db.execute('UPDATE changes SET number = random()')

    def arrive():
        # An error of the store fails all commands of the same transaction, this one included.
        with suppress(EmitFailure):
            emit(system, len(inbox.events))
        return inbox.events

    eventually(arrive)


@pytest.mark.parametrize('name', ['queue \udcff', 'queue\n', 5, ''], ids=repr)
def test_invalid_queue_name_is_rejected(name, start, subscribe):
    with pytest.raises(SubscriptionError, match='expected a queue name'):
        subscribe(start(), Inbox(), queue=name)
