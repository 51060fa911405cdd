"""The number and size of the events in one lease."""

from __future__ import annotations

import pytest

from lymph.events._embedded.database import open_database
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import publish
from lymph.events._embedded.owners import enroll
from lymph.events._embedded.routing import Routes, declare
from lymph.events.leases import Demand

MIB = 1024 * 1024


@pytest.fixture
def db(tmp_path):
    db = open_database(tmp_path / 'events.sqlite')
    yield db
    db.close()


def queue(db, name, count, size):
    """Declare a queue with `count` events of `size` bytes; return the owner that consumes it."""
    owner = enroll(db, f'owner of {name}', None)
    declare(db, name, [name], False, owner)
    for _ in range(count):
        publish(db, Routes(), name, bytes(size), 0)
    return owner


def sizes(leased, name):
    return [len(each.data) for each in leased.deliveries if each.queue == name]


def test_large_events_are_leased_a_few_at_a_time(db):
    owner = queue(db, 'large', 10, MIB)
    found = []
    while leased := lease(db, owner, [Demand('large', 32)], 10.0).deliveries:
        assert len(leased) <= 4
        found += [each.id for each in leased]
    assert len(found) == len(set(found)) == 10


def test_event_larger_than_a_lease_is_leased_alone(db):
    owner = queue(db, 'huge', 2, 5 * MIB)
    first = lease(db, owner, [Demand('huge', 32)], 10.0)
    assert sizes(first, 'huge') == [5 * MIB]
    assert first.due == {'huge': 0}


def test_queue_that_gets_nothing_because_of_large_events_is_due_at_once(db):
    owner = queue(db, 'large', 10, MIB)
    queue(db, 'small', 3, 10)
    leased = lease(db, owner, [Demand('large', 32), Demand('small', 32)], 10.0)
    assert (len(sizes(leased, 'large')), sizes(leased, 'small')) == (4, [])
    assert leased.due == {'large': 0, 'small': 0}
    again = lease(db, owner, [Demand('small', 32), Demand('large', 32)], 10.0)
    assert (len(sizes(again, 'small')), len(sizes(again, 'large'))) == (3, 4)


def test_as_many_small_events_are_leased_as_requested(db):
    owner = queue(db, 'small', 40, 10)
    leased = lease(db, owner, [Demand('small', 32)], 10.0)
    assert sizes(leased, 'small') == [10] * 32
    assert leased.due == {}


@pytest.mark.parametrize('data', ['5', '1.5', "'text'"])
def test_event_data_of_any_sql_type_is_leased_as_bytes(db, data):
    owner = queue(db, 'queue', 1, 10)
    db.execute(f'UPDATE events SET data = {data}')
    (delivery,) = lease(db, owner, [Demand('queue', 32)], 10.0).deliveries
    assert type(delivery.data) is bytes
