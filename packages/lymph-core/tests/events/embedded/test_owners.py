"""Leases and queues of owners that are gone, as the tables show them."""

from __future__ import annotations

import time

import pytest

from lymph.core._system.lock_files import LockFile
from lymph.core.events import Event
from lymph.events._embedded.database import open_database
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import acknowledge, publish, retry
from lymph.events._embedded.owners import check_others, enroll, remove_owner, renew
from lymph.events._embedded.routing import Routes, declare, withdraw
from lymph.events.deliveries import LOSSES
from lymph.events.envelope import pack_event
from lymph.events.leases import Demand


@pytest.fixture
def db(tmp_path):
    db = open_database(tmp_path / 'events.sqlite')
    yield db
    db.close()


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / 'owners'
    directory.mkdir()
    return directory


def emit(db, n=0):
    return publish(db, Routes(), 'thing', pack_event(Event('thing', {'n': n})), 0)


def test_live_owner_keeps_its_leases(db, directory):
    me, other, file = enroll(db, 'me', None), 0, LockFile(directory / 'other')
    other = enroll(db, file.path.name, None)
    declare(db, 'queue', ['thing'], False, other)
    emit(db)
    assert len(lease(db, other, [Demand('queue', 5)], 10.0).deliveries) == 1
    assert check_others(db, me, directory, None).queues == frozenset()
    assert lease(db, me, [Demand('queue', 5)], 10.0).deliveries == []
    file.release()


def test_events_leased_by_a_dead_owner_are_released(db, directory):
    me, file = enroll(db, 'me', None), LockFile(directory / 'other')
    other = enroll(db, file.path.name, None)
    declare(db, 'queue', ['thing'], False, other)
    emit(db)
    (lost,) = lease(db, other, [Demand('queue', 5)], 10.0).deliveries
    file.abandon()  # as the kernel does when the process ends
    assert check_others(db, me, directory, None).queues == {'queue'}
    (delivery,) = lease(db, me, [Demand('queue', 5)], 10.0).deliveries
    assert (delivery.id, delivery.attempt) == (lost.id, 2)
    # whoever lost the lease cannot settle it any more
    acknowledge(db, other, lost.id)
    assert db.execute('SELECT count(*) FROM messages').fetchone() == (1,)
    assert list(directory.iterdir()) == []


def test_owner_without_a_file_is_dead_if_it_is_not_renewed(db, directory):
    me, other = enroll(db, 'me', None), enroll(db, 'lost', None)
    check_others(db, me, directory, None)
    assert renew(db, other, 'lost')
    db.execute('UPDATE owners SET expires = ? WHERE id = ?', (time.time() - 1, other))
    check_others(db, me, directory, None)
    assert not renew(db, other, 'lost')
    assert renew(db, me, 'me')


def test_event_that_keeps_killing_its_consumers_becomes_a_dead_letter(db):
    deaths = 0
    declare(db, 'queue', ['thing'], False, enroll(db, 'first', None))
    emit(db, 7)
    while True:
        owner = enroll(db, 'next', None)
        if not lease(db, owner, [Demand('queue', 1)], 10.0).deliveries:
            break
        remove_owner(db, owner)
        deaths += 1
    assert deaths == 1 + LOSSES
    queue, attempts, error = db.execute(
        'SELECT queue, attempts, error FROM dead_letters'
    ).fetchone()
    assert (queue, attempts) == ('queue', deaths)
    assert 'its consumer ended in attempt 11' in error
    assert db.execute('SELECT count(*) FROM events').fetchone() == (0,)


def test_event_with_many_failures_is_redelivered_when_its_consumer_is_lost(db):
    declare(db, 'queue', ['thing'], False, enroll(db, 'any', None))
    emit(db)
    owner = enroll(db, 'next', None)
    for _ in range(2 * LOSSES):
        (delivery,) = lease(db, owner, [Demand('queue', 1)], 10.0).deliveries
        retry(db, owner, delivery.id, 0)
    lease(db, owner, [Demand('queue', 1)], 10.0)
    remove_owner(db, owner)
    other = enroll(db, 'other', None)
    (delivery,) = lease(db, other, [Demand('queue', 1)], 10.0).deliveries
    assert delivery.attempt == 2 * LOSSES + 2


def test_temporary_queues_end_with_their_owner_and_durable_ones_stay(db):
    owner = enroll(db, 'owner', None)
    declare(db, 'temporary', ['thing'], True, owner)
    declare(db, 'durable', ['thing'], False, owner)
    assert sorted(emit(db)) == ['durable', 'temporary']
    remove_owner(db, owner)
    assert emit(db) == ['durable']
    assert db.execute('SELECT count(*) FROM messages').fetchone() == (2,)


def test_temporary_queue_ends_with_its_subscription(db):
    owner = enroll(db, 'owner', None)
    declare(db, 'temporary', ['thing'], True, owner)
    emit(db)
    withdraw(db, owner, 'temporary')
    for table in ('queues', 'bindings', 'consumers', 'messages', 'events'):
        assert db.execute(f'SELECT count(*) FROM {table}').fetchone() == (0,)


def test_routes_are_reloaded_when_they_change(db):
    routes, owner = Routes(), enroll(db, 'owner', None)
    assert routes.find(db, 'thing') == ()
    declare(db, 'first', ['*', '#'], False, owner)
    assert [name for _, name in routes.find(db, 'thing')] == ['first']
    declare(db, 'second', ['thing'], True, owner)
    assert sorted(name for _, name in routes.find(db, 'thing')) == ['first', 'second']
    withdraw(db, owner, 'second')
    assert [name for _, name in routes.find(db, 'thing')] == ['first']


def test_processes_of_another_container_are_counted_separately(db, directory):
    files = [LockFile(directory / name) for name in 'ab']
    me = enroll(db, 'me', 'here')
    enroll(db, files[0].path.name, 'here')
    enroll(db, files[1].path.name, 'elsewhere')
    found = check_others(db, me, directory, 'here')
    assert (len(found.living), found.elsewhere) == (1, 1)
    for file in files:
        file.release()
