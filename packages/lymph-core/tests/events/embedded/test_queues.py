"""Queues of a machine: when they are removed, and how they are counted."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from lymph.core._system.lock_files import FileMutex
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.queues import read_states
from lymph.testing.contracts.events import Inbox
from lymph.testing.waiting import eventually

LISTENING = """
    system.subscribe(Subscription('own', ('#',), print, broadcast=True, durable=False))
    say('ready')
    gevent.sleep(1000)
    """


def count(database, rows):
    with closing(sqlite3.connect(database)) as db:
        return db.execute(f'SELECT count(*) FROM {rows}').fetchone()[0]


def temporary_queues(database):
    return count(database, 'queues WHERE temporary > 0')


def test_first_event_of_an_emitter_removes_temporary_queues_of_dead_processes(
    run, start, emit, database
):
    dead = run(LISTENING)
    assert dead.hear() == 'ready'
    dead.kill()
    assert temporary_queues(database) == 1
    emit(start(), 1)
    assert temporary_queues(database) == 0
    assert count(database, 'events') == 0


def test_temporary_queues_of_dead_processes_are_removed_while_only_emitters_run(
    run, start, emit, database, monkeypatch
):
    monkeypatch.setattr('lymph.events._embedded.ownership.Ownership.emitter_interval', 0.05)
    monkeypatch.setattr('lymph.events._embedded.routing._BATCH', 10)
    emitter = start()
    dead = run(LISTENING)
    assert dead.hear() == 'ready'
    for n in range(30):
        emit(emitter, n)
    assert temporary_queues(database) == 1
    dead.kill()

    def ended():
        emit(emitter, 0)
        return not temporary_queues(database)

    eventually(ended, 20)
    eventually(lambda: count(database, 'events') == 0, 20)


def test_dead_processes_are_not_counted_as_consumers(run, start):
    consumer = run(LISTENING)
    assert consumer.hear() == 'ready'
    system = start()
    (state,) = system.queues.read()
    assert (state.temporary, state.consumers) == (True, 1)
    consumer.kill()
    assert system.queues.read() == []


def test_queues_are_counted_while_another_process_holds_the_write_lock(
    start, subscribe, emit, database
):
    system = start()
    system.unsubscribe(subscribe(system, Inbox()))
    emit(system, 1)
    with FileMutex(database.with_name(f'{database.name}-turn')).hold():
        assert [state.waiting for state in read_states(database, time.time(), None)] == [1]


def test_counting_does_not_create_a_missing_file(tmp_path):
    with pytest.raises(StoreError, match='cannot be opened'):
        read_states(tmp_path / 'gone #1.sqlite', time.time(), None)
    assert list(tmp_path.iterdir()) == []


def test_dropped_queue_with_consumers_is_declared_again(start, subscribe, emit, monkeypatch):
    monkeypatch.setattr('lymph.events._embedded.ownership._INTERVAL', 0.1)
    system, inbox = start(), Inbox()
    subscribe(system, inbox)
    assert system.queues.drop('queue', forced=True)
    eventually(lambda: system.queues.find('queue'), 20)
    emit(system, 1)
    eventually(lambda: inbox.numbers == [1], 20)
