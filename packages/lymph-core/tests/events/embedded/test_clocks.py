"""Changes of the wall clock do not affect delays, retries or leases in the store."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from lymph.core._system.clocks import boot_id
from lymph.core.events import Event
from lymph.events._embedded import clock
from lymph.events._embedded.database import open_database
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import put
from lymph.events._embedded.owners import check_others, enroll, renew
from lymph.events._embedded.routing import declare
from lymph.events.envelope import pack_event
from lymph.events.leases import Demand
from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually

HOUR = 3600.0

either_way = pytest.mark.parametrize('hours', [-1, 1], ids=['an hour back', 'an hour forward'])


@pytest.fixture
def set_clock(monkeypatch):
    """Return a function that shifts the wall clock of this process by a number of hours."""
    really = time.time

    def set_clock(hours):
        monkeypatch.setattr(time, 'time', lambda: really() + hours * HOUR)

    return set_clock


@either_way
def test_clock_change_does_not_affect_a_delay(start, subscribe, emit, set_clock, hours):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    emit(system, 'soon', delay=0.3)
    emit(system, 'later', delay=60)
    set_clock(hours)
    emit(system, 'now')
    eventually(lambda: inbox.numbers == ['now', 'soon'])


@either_way
def test_clock_change_does_not_affect_the_retry_of_a_failed_event(
    start, subscribe, emit, set_clock, hours
):
    system, attempts = start(), []

    def fail_once(event):
        attempts.append(event.attempt)
        if event.attempt == 1:
            set_clock(hours)
            raise RuntimeError('not yet')

    subscribe(system, fail_once, retry=1)
    emit(system)
    eventually(lambda: attempts == [1, 2])


@either_way
def test_clock_change_does_not_block_an_exclusive_queue_after_a_failed_event(
    start, subscribe, emit, set_clock, hours
):
    system, handled = start(), []

    def fail_once(event):
        if event.body['n'] == 1 and event.attempt == 1:
            raise RuntimeError('not yet')
        handled.append(event.body['n'])

    emitter = start()
    subscribe(system, fail_once, retry=1, exclusive=True)
    emit(emitter, 1)
    emit(emitter, 2)
    set_clock(hours)
    eventually(lambda: handled == [1, 2])


IN_ANOTHER_PROCESS = """
    import time
    really, hours = time.time, float(arguments[0])
    time.time = lambda: really() + hours * 3600
    system.emit(Event('thing', {'n': 'later'}), delay=60)
    system.emit(Event('thing', {'n': 'soon'}), delay=0.3)
    system.emit(Event('thing', {'n': 'now'}))
    system.on_stop()
    """


@either_way
def test_processes_with_different_wall_clocks_agree_on_a_delay(run, start, subscribe, hours):
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    assert run(IN_ANOTHER_PROCESS, hours).wait() == 0
    eventually(lambda: inbox.numbers == ['now', 'soon'])


@either_way
def test_dead_letter_dies_after_its_emission_despite_a_clock_change(
    start, subscribe, emit, set_clock, hours
):
    system = start()

    def fail(event):
        set_clock(hours)
        raise RuntimeError('no good')

    subscribe(system, fail)
    emit(system)
    (letter,) = eventually(lambda: system.dead_letters.read('queue'))
    assert abs(letter.died - time.time()) < 60
    assert 0 <= letter.died - letter.emitted < 60


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'events.sqlite'


@either_way
def test_live_owner_is_not_declared_dead_after_a_clock_change(path, tmp_path, set_clock, hours):
    db = open_database(path)
    me, other = enroll(db, 'me', None), enroll(db, 'other, whose file was removed', None)
    declare(db, 'temporary', ['thing'], True, other)
    set_clock(hours)
    assert check_others(db, me, tmp_path, None).queues == frozenset()
    assert renew(db, other, 'again')
    assert db.execute('SELECT name FROM queues').fetchall() == [('temporary',)]
    db.close()


# Restarts of the machine. What passes then only the wall clock tells.


@pytest.fixture
def machine(monkeypatch, path):
    class Machine:
        boot, up, wall = 'first', 1000.0, 1_700_000_000.0

        def pass_time(self, seconds, wall=None):
            self.up += seconds
            self.wall += seconds if wall is None else wall

        def start_anew(self, seconds, boot='second', wall=None):
            self.pass_time(seconds, wall)
            self.boot, self.up = boot, 5.0

        def wait(self):
            """Return the remaining delay of the first event in seconds, 0 if it is due."""
            db = open_database(path)
            leased = lease(db, enroll(db, 'me', None), [Demand('queue', 1)], 10.0)
            db.close()
            return 0 if leased.deliveries else leased.due['queue']

    machine = Machine()
    monkeypatch.setattr(clock, 'boot_id', lambda: machine.boot)
    monkeypatch.setattr(clock, 'boottime', lambda: machine.up)
    monkeypatch.setattr(time, 'time', lambda: machine.wall)
    db = open_database(path)
    declare(db, 'queue', ['thing'], False, None)
    (queue,) = db.execute('SELECT id FROM queues').fetchone()
    put(db, [queue], pack_event(Event('thing', {})), delay=100)
    db.close()
    return machine


@pytest.mark.parametrize('boot', ['second', 'first'], ids=['told', 'not told by the platform'])
def test_time_while_the_machine_is_off_counts_towards_a_delay(machine, boot):
    machine.start_anew(40, boot)
    assert machine.wait() == pytest.approx(60)
    machine.pass_time(60, wall=-HOUR)
    assert machine.wait() == 0


def test_wrong_clock_after_a_restart_extends_no_delay(machine):
    machine.start_anew(40, wall=-HOUR)
    assert machine.wait() == pytest.approx(100)


def test_clock_change_before_a_restart_does_not_affect_a_delay(machine, path):
    machine.pass_time(30, wall=-HOUR)
    db = open_database(path)
    db.note_time()
    db.close()
    machine.start_anew(40)
    assert machine.wait() == pytest.approx(30)


def test_processes_with_different_boot_ids_agree_on_the_time(machine, path):
    first = open_database(path)
    machine.boot = 'another container'
    other = open_database(path)
    machine.boot = 'first'
    machine.pass_time(30, wall=HOUR)
    assert first.now() == other.now() == open_database(path).now()


@pytest.mark.parametrize('value', ['NULL', "'text'", "x'ff'", '9e999', '-1e300'])
def test_impossible_times_in_the_file_are_ignored(path, value):
    open_database(path).close()
    for column in ('ahead', 'seen', 'wall'):
        with closing(sqlite3.connect(path)) as db, db:
            # the table as damage makes it, which knows no NOT NULL
            db.execute('DROP TABLE clocks')
            db.execute('CREATE TABLE clocks (boot TEXT PRIMARY KEY, ahead, seen, wall)')
            row = {'boot': repr(boot_id()), 'ahead': '0', 'seen': '1', 'wall': '1', column: value}
            db.execute(f'INSERT INTO clocks VALUES ({", ".join(row.values())})')
        with closing(open_database(path)) as opened:
            assert abs(opened.now()) < 1e11
