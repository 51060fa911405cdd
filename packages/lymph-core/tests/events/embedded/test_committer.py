from __future__ import annotations

import _thread
import sqlite3

import gevent
import pytest

from lymph.core._system.lock_files import FileMutex
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError
from lymph.testing.waiting import eventually


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'events.sqlite'


@pytest.fixture
def committer(path):
    committer = Committer(path)
    committer.open(5)
    yield committer
    committer.close()


def insert(n):
    return lambda db: db.execute('INSERT INTO queues (name, temporary) VALUES (?, 0)', (str(n),))


def names(path):
    with sqlite3.connect(path) as db:
        return [name for (name,) in db.execute('SELECT name FROM queues ORDER BY id')]


def test_command_returns_its_result(committer):
    assert committer.run(lambda db: db.execute('SELECT 1 + 1').fetchone(), 5) == (2,)


def test_state_is_down_while_a_stopped_process_holds_the_database(committer, path):
    assert committer.state[:3:2] == (True, 0)
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        with pytest.raises(StoreError):
            committer.run(insert('late'), 0.1)
        assert (committer.state.connected, committer.state.server) == (False, str(path))
        assert 'did not answer within 0.1 s' in committer.state.reason
    eventually(lambda: committer.state.connected)
    assert (committer.state.reconnects, committer.state.reason) == (1, '')


def test_error_of_a_command_says_nothing_about_the_database(committer):
    committer.run(insert('twice'), 5)
    with pytest.raises(StoreError):
        committer.run(insert('twice'), 5)
    assert committer.state.connected


def test_commands_run_in_the_order_of_submission(committer, path):
    for n in range(1000):
        committer.submit(insert(n))
    committer.run(lambda db: None, 5)
    assert names(path) == [str(n) for n in range(1000)]


def test_waiting_commands_are_committed_together(committer, path):
    statements = []
    committer.run(lambda db: db.set_trace_callback(statements.append), 5)
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        jobs = [gevent.spawn(committer.run, insert(n), 5, lasting=True) for n in range(50)]
        gevent.sleep(0)
    gevent.joinall(jobs, raise_error=True)
    assert len(names(path)) == 50
    # that of the callback, that of those that had begun before the rest, that of the rest
    assert statements.count('COMMIT') <= 3


def test_failed_command_does_not_affect_the_others(committer, path):
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        jobs = [gevent.spawn(committer.run, insert(n), 5) for n in (1, 2, 2, 3)]
        bug = gevent.spawn(committer.run, lambda db: 1 / 0, 5)
        gevent.sleep(0)
    gevent.joinall([*jobs, bug])
    assert [job.exception is None for job in jobs] == [True, True, False, True]
    assert isinstance(jobs[2].exception, StoreError)
    assert isinstance(bug.exception, ZeroDivisionError)
    assert names(path) == ['1', '2', '3']


def test_command_is_withdrawn_when_its_caller_times_out(committer, path):
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        begun = gevent.spawn(committer.run, insert('begun'), 5)
        gevent.sleep(0)
        with pytest.raises(StoreError, match=r'did not answer within 0\.1 s'):
            committer.run(insert('late'), 0.1)
    begun.get()
    committer.run(insert('next'), 5)
    assert names(path) == ['begun', 'next']


def test_callback_of_a_command_is_called_even_if_the_caller_was_killed(committer):
    begun, go_on, told = [], _thread.allocate_lock(), []

    def command(db):
        begun.append(True)
        with go_on:
            return 'done'

    with go_on:
        asker = gevent.spawn(committer.run, command, 5, then=told.append)
        eventually(lambda: begun)
        asker.kill()
    committer.run(lambda db: None, 5)
    assert told == ['done']


def test_closing_runs_submitted_commands(path):
    committer = Committer(path)
    committer.open(5)
    for n in range(1000):
        committer.submit(insert(n))
    committer.close()
    assert len(names(path)) == 1000
    with pytest.raises(StoreError, match='not open'):
        committer.submit(insert('late'))


def test_closing_does_not_wait_forever(path):
    committer = Committer(path)
    committer.open(5)
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        committer.submit(insert('late'))
        committer.close(patience=0.1)


def test_pending_caller_times_out_after_the_file_was_closed(path):
    committer = Committer(path)
    committer.open(5)
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        caller = gevent.spawn(committer.run, insert('late'), 0.5)
        gevent.sleep(0)
        committer.close(patience=0.01)
        with pytest.raises(StoreError, match=r'did not answer within 0\.5 s'):
            caller.get(timeout=30)


def test_each_caller_waits_for_its_own_timeout(committer, path):
    with FileMutex(path.with_name('events.sqlite-turn')).hold():
        first = gevent.spawn(committer.run, insert('first'), None)
        gevent.sleep(0)
        late = [gevent.spawn(committer.run, insert('late'), 0.01) for _ in range(3)]
        patient = gevent.spawn(committer.run, insert('patient'), 60)
        gevent.joinall(late, timeout=30)
        assert [type(each.exception) for each in late] == [StoreError] * 3
        assert not first.ready()
        assert not patient.ready()
    gevent.joinall([first, patient], raise_error=True)
    assert names(path) == ['first', 'patient']


def test_closed_file_can_be_opened_again(path):
    committer = Committer(path)
    for n in range(2):
        committer.open(5)
        committer.run(insert(n), 5)
        committer.close()
    assert names(path) == ['0', '1']


def test_several_writers_share_the_file(path):
    committers = [Committer(path) for _ in range(4)]
    for committer in committers:
        committer.open(5)
    jobs = [
        gevent.spawn(committer.run, insert(f'{n}-{i}'), 10, lasting=True)
        for n in range(50)
        for i, committer in enumerate(committers)
    ]
    gevent.joinall(jobs, raise_error=True)
    for committer in committers:
        committer.close()
    assert len(names(path)) == 200


def test_command_that_fails_after_its_commit_does_not_block_others(committer):
    def fail(result):
        raise RuntimeError('no good')

    jobs = [
        gevent.spawn(committer.run, lambda db: 1, 5, then=fail if n % 2 else bool)
        for n in range(10)
    ]
    gevent.joinall(jobs, timeout=5)
    assert [job.get(timeout=5) for job in jobs] == [1] * 10


@pytest.mark.parametrize('error', [SystemExit(1), RuntimeError('no good'), MemoryError()])
def test_any_exception_of_a_command_reaches_its_caller(error, committer, path):
    def fail(db):
        raise error

    with pytest.raises(type(error)):
        committer.run(fail, 5)
    committer.run(insert(1), 5)
    assert names(path) == ['1']


def test_text_that_cannot_be_stored_is_a_store_error(committer):
    with pytest.raises(StoreError, match=r"cannot keep 'name \\udcff'"):
        committer.run(insert('name \udcff'), 5)
