"""The queues of a machine: who ends them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

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


def test_the_first_event_of_an_emitter_ends_the_temporary_queues_of_the_dead(
    run, start, emit, database
):
    dead = run(LISTENING)
    assert dead.hear() == 'ready'
    dead.kill()
    assert temporary_queues(database) == 1
    emit(start(), 1)
    assert temporary_queues(database) == 0
    assert count(database, 'events') == 0


def test_temporary_queues_of_the_dead_end_while_only_emitters_run(
    run, start, emit, database, monkeypatch
):
    monkeypatch.setattr('lymph.events.embedded.keeper.Keeper.visits', 0.05)
    monkeypatch.setattr('lymph.events.embedded.ending._SWEPT', 10)
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
