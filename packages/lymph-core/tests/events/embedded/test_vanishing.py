"""Loss of files of the store under running processes is detected: no event is lost silently.

`emit` fails until the files are reopened and the queues are declared again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

import gevent
import pytest

from lymph.core._system.wakeups import is_deaf
from lymph.events._embedded.database import open_database
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import acknowledge
from lymph.events._embedded.owners import UnknownOwner, enroll
from lymph.events._embedded.routing import declare
from lymph.events.base import Subscription
from lymph.events.leases import Demand
from lymph.exceptions import EmitFailure, SubscriptionError
from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually, let_pass


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr('lymph.events._embedded.recovery.INTERVAL', 0.1)
    monkeypatch.setattr('lymph.events._embedded.recovery._SETTLING', 0.5)


def remove_directory(database):
    shutil.rmtree(database.parent)


def remove_all_files(database):
    for path in database.parent.glob('events.sqlite*'):
        path.unlink()


def remove_database(database):
    database.unlink()


def remove_log(database):
    database.with_name('events.sqlite-wal').unlink()


def remove_index(database):
    database.with_name('events.sqlite-shm').unlink()


def remove_log_and_index(database):
    remove_log(database)
    remove_index(database)


def empty_log(database):
    os.truncate(database.with_name('events.sqlite-wal'), 0)


def halve_log(database):
    log = database.with_name('events.sqlite-wal')
    os.truncate(log, log.stat().st_size // 2)


def empty_database(database):
    os.truncate(database, 0)


def move_directory(database):
    database.parent.rename(database.parent.with_name('moved'))


def swap_link(database):
    directory = database.parent
    directory.rename(directory.with_name('moved'))
    directory.with_name('other').mkdir(mode=0o700)
    directory.symlink_to(directory.with_name('other'))


def restore(database):
    backup = database.with_name('backup')
    with closing(sqlite3.connect(database)) as db, closing(sqlite3.connect(backup)) as copy:
        db.backup(copy)
    backup.replace(database)


HARMS = [
    remove_directory,
    remove_all_files,
    remove_database,
    remove_log,
    remove_index,
    remove_log_and_index,
    empty_log,
    halve_log,
    empty_database,
    move_directory,
    swap_link,
    restore,
]

any_harm = pytest.mark.parametrize('harm', HARMS)


@pytest.fixture
def emit_when_possible(emit):
    def emit_when_possible(system, n):
        def emitted():
            try:
                emit(system, n)
            except EmitFailure:
                return False
            return True

        eventually(emitted, 20)

    return emit_when_possible


@any_harm
def test_emitters_fail_until_the_store_is_restored(
    start, subscribe, emit, emit_when_possible, database, harm
):
    consumer, emitter, inbox, own = start(), start(), Inbox(), Inbox()
    subscribe(consumer, inbox)
    subscribe(consumer, own, queue='own', broadcast=True, durable=False)
    for n in range(20):
        emit(emitter, n)
    eventually(lambda: len(inbox.events) == len(own.events) == 20)
    harm(database)
    with pytest.raises(EmitFailure):
        emit(emitter, 'too soon')
    emit_when_possible(emitter, 'again')
    eventually(lambda: 'again' in inbox.numbers and 'again' in own.numbers)
    emit_when_possible(consumer, 'more')
    eventually(lambda: inbox.numbers[-1] == 'more')


ELSEWHERE = """
    from lymph.events._embedded import recovery

    recovery.INTERVAL = 0.1
    system.on_stop()
    system = EmbeddedEventSystem(path)
    system.on_start()
    system.subscribe(Subscription('queue', ('thing',), lambda event: say(event.body['n'])))
    say('ready')
    gevent.sleep(1000)
    """


@pytest.mark.parametrize('harm', [remove_directory, remove_log, remove_index, empty_log])
def test_consumers_in_other_processes_recover_without_a_wake_up(
    run, start, emit, emit_when_possible, database, harm
):
    consumer, emitter = run(ELSEWHERE), start()
    assert consumer.hear() == 'ready'
    emit(emitter, 'before')
    assert consumer.hear() == 'before'
    harm(database)
    with pytest.raises(EmitFailure):
        emit(emitter, 'too soon')
    emit_when_possible(emitter, 'again')
    heard = consumer.hear()
    if heard == 'before':  # its outcome came too late for the file that has gone
        heard = consumer.hear()
    assert heard == 'again'


@pytest.mark.parametrize('harm', [remove_log, remove_index, remove_log_and_index, swap_link])
def test_events_emitted_before_the_loss_are_preserved(start, subscribe, emit, database, harm):
    emitter, inbox = start(), Inbox()
    emitter.unsubscribe(subscribe(emitter, inbox))
    for n in range(20):
        emit(emitter, n)
    harm(database)
    with pytest.raises(EmitFailure):
        emit(emitter, 'too soon')
    if harm is swap_link:
        database.parent.unlink()
        database.parent.with_name('moved').rename(database.parent)
        with pytest.raises(EmitFailure):
            emit(emitter, 'too soon')

    def subscribed():
        try:
            subscribe(emitter, inbox)
        except SubscriptionError:
            return False
        return True

    eventually(subscribed)
    eventually(lambda: sorted(inbox.numbers) == list(range(20)))


def test_checkpoint_by_another_program_does_no_harm(start, subscribe, emit, database):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1])
    log = database.with_name('events.sqlite-wal')

    def written_back():
        with closing(sqlite3.connect(database)) as db:
            db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        return log.stat().st_size == 0

    eventually(written_back)
    emit(system, 2)
    eventually(lambda: inbox.numbers == [1, 2])


def test_queue_declared_without_a_consumer_is_declared_again(
    start, subscribe, emit, emit_when_possible, database
):
    system, inbox = start(), Inbox()
    system.declare(Subscription('queue', ('thing',), inbox))
    remove_directory(database)
    with pytest.raises(EmitFailure):
        emit(system, 'too soon')
    emit_when_possible(system, 1)
    subscribe(start(), inbox)
    eventually(lambda: inbox.numbers == [1])


def test_exclusive_queue_continues_in_the_new_file(
    start, subscribe, emit, emit_when_possible, database
):
    system, inbox = start(), Inbox()
    subscribe(system, inbox, exclusive=True)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1])
    remove_directory(database)
    emit_when_possible(system, 2)
    eventually(lambda: inbox.numbers == [1, 2])


def test_handler_that_outlives_the_file_settles_nothing_in_the_new_one(
    start, subscribe, emit, emit_when_possible, database
):
    system, begun, go_on = start(), [], gevent.event.Event()

    def handle(event):
        begun.append(event.body['n'])
        go_on.wait()

    subscribe(system, handle, sequential=True)
    emit(system, 'old')
    eventually(lambda: begun == ['old'])
    remove_directory(database)
    emit_when_possible(system, 'new')
    go_on.set()
    eventually(lambda: begun == ['old', 'new'])
    with closing(sqlite3.connect(database)) as db:
        eventually(lambda: db.execute('SELECT count(*) FROM messages').fetchone() == (0,))


def test_event_in_progress_during_a_backup_is_handled_again_after_the_restore(
    start, subscribe, emit, database
):
    system, attempts, go_on = start(), [], gevent.event.Event()

    def handle(event):
        attempts.append(event.attempt)
        go_on.wait()

    subscribe(system, handle)
    emit(system, 1)
    eventually(lambda: attempts == [1])
    restore(database)
    go_on.set()
    eventually(lambda: attempts == [1, 2])


def test_unknown_owner_cannot_lease_events(tmp_path):
    with closing(open_database(tmp_path / 'events.sqlite')) as db:
        owner = enroll(db, 'somebody', None)
        declare(db, 'queue', ['thing'], False, owner)
        db.execute('DELETE FROM owners')
        with pytest.raises(UnknownOwner):
            lease(db, owner, [Demand('queue', 1)], 10.0)


def test_owners_of_different_files_have_different_ids(tmp_path):
    owners = set()
    for name in ('first', 'second'):
        with closing(open_database(tmp_path / name)) as db:
            owners.add(enroll(db, 'somebody', None))
            db.execute('INSERT INTO messages (event, queue, owner) VALUES (1, 1, 7)')
            for owner in owners:
                acknowledge(db, owner, 1)
            assert db.execute('SELECT count(*) FROM messages').fetchone() == (1,)
    assert len(owners) == 2


def test_removed_wakeup_sockets_are_recreated(start, subscribe, emit, tmp_path):
    consumer, emitter, inbox = start(), start(), Inbox()
    subscribe(consumer, inbox)
    bells = tmp_path / 'events' / 'bells'
    shutil.rmtree(bells)
    eventually(lambda: bells.exists() and len(os.listdir(bells)) == 2)
    emit(emitter, 1)
    eventually(lambda: inbox.numbers == [1])


def test_wakeup_socket_works_again_after_it_was_unreachable(start, subscribe, tmp_path, caplog):
    subscribe(start(), Inbox())
    bells, away = tmp_path / 'events' / 'bells', tmp_path / 'away'
    bells.rename(away)
    bells.symlink_to('/proc/self')  # a directory in which nobody can bind a socket
    eventually(lambda: 'cannot check whether other instances are alive' in caplog.text)
    bells.unlink()
    away.rename(bells)
    assert not any(is_deaf(each) for each in bells.iterdir())


def test_emitters_fail_and_the_system_can_stop_if_the_directory_cannot_be_recreated(
    start, subscribe, emit, database
):
    system = start()
    subscribe(system, Inbox())
    emit(system, 1)
    assert system.connection_state().connected
    remove_directory(database)
    database.parent.write_text('in the way')
    for _ in range(3):
        with pytest.raises(EmitFailure, match='was removed'):
            emit(system, 2)
        let_pass(0.2, 'in which the system tries to make it again')
        state = system.connection_state()
        assert (state.connected, state.reconnects) == (False, 0)
        assert 'was removed' in state.reason
    system.on_stop()
    assert system.connection_state().reason == 'closed'
    database.parent.unlink()
    system.on_start()
    emit(system, 3)
    assert system.connection_state()[2:] == (1, str(database), '')
