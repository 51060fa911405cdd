from __future__ import annotations

import time

import pytest

from lymph.core.components import Component
from lymph.events._embedded.claims import HeldClaims, give_up, take
from lymph.events._embedded.database import StoreError, open_database
from lymph.testing.waiting import block_loop, eventually

LIFETIME = 0.3


class Commands:
    """A committer that runs commands at once."""

    def __init__(self, db):
        self.db = db

    def run(self, command, timeout):
        return command(self.db)


@pytest.fixture
def db(tmp_path):
    db = open_database(tmp_path / 'events.sqlite')
    db.execute("INSERT INTO queues (id, name, temporary) VALUES (7, 'queue', 0)")
    yield db
    db.close()


@pytest.fixture
def rung():
    return []


@pytest.fixture
def claims(db, rung):
    component = Component()
    claims = HeldClaims(component, Commands(db), LIFETIME, rung.append)
    yield claims
    claims.stop()
    component.pool.kill()


def claim(db, claims, token='mine'):
    now = time.monotonic()
    assert take(db, 7, 1, token, now, now + LIFETIME) is None
    claims.add('queue', token, now + LIFETIME)


def stands_until(db):
    return db.execute('SELECT expires FROM claims WHERE queue = 7').fetchone()[0]


def test_claim_is_held_while_it_is_renewed(db, claims):
    claim(db, claims)
    first = stands_until(db)
    eventually(lambda: stands_until(db) > first + LIFETIME)
    eventually(lambda: claims.holds('mine'))  # not while this process is held up for that long


def test_expired_claim_is_not_held_until_it_is_renewed(db, claims):
    claim(db, claims)
    block_loop(LIFETIME, 'a blocked loop renews nothing')
    assert not claims.holds('mine')
    eventually(lambda: claims.holds('mine'))  # nobody else has taken it


def test_claim_taken_by_another_is_dropped_and_its_queue_polled(db, claims, rung):
    claim(db, claims)
    give_up(db, 'mine')
    now = time.monotonic()
    assert take(db, 7, 2, 'other', now, now + 60) is None
    eventually(lambda: rung == ['queue'])
    assert not claims.holds('mine')
    assert stands_until(db) == now + 60


def test_released_claim_is_not_held(db, claims):
    claim(db, claims)
    claims.remove('mine')
    assert not claims.holds('mine')


def test_claim_has_one_holder_at_a_time(db):
    assert take(db, 7, 1, 'first', 100.0, 110.0) is None
    assert take(db, 7, 2, 'second', 104.0, 114.0) == 6.0
    assert take(db, 7, 1, 'first', 109.0, 119.0) is None
    assert take(db, 7, 2, 'second', 119.0, 129.0) is None
    assert take(db, 7, 1, 'first', 120.0, 130.0) == 9.0


def test_claim_from_before_a_reboot_delays_a_takeover_by_at_most_its_lifetime(db):
    assert take(db, 7, 1, 'before', 90_000.0, 90_010.0) is None
    assert take(db, 7, 2, 'after', 5.0, 15.0) == 10.0


def test_takeover_releases_the_events_leased_by_the_previous_holder(db):
    db.execute("INSERT INTO events VALUES (1, x'00', 0)")
    db.execute('INSERT INTO messages (event, queue, owner, attempts) VALUES (1, 7, 1, 1)')
    assert take(db, 7, 2, 'second', 100.0, 110.0) is None
    assert db.execute('SELECT owner, attempts FROM messages').fetchall() == [(None, 1)]


def test_event_whose_consumers_keep_stalling_becomes_a_dead_letter(db):
    db.execute("INSERT INTO events VALUES (1, x'00', 0)")
    db.execute(
        'INSERT INTO messages (event, queue, owner, attempts, losses) VALUES (1, 7, 1, 11, 10)'
    )
    assert take(db, 7, 2, 'second', 100.0, 110.0) is None
    assert db.execute('SELECT count(*) FROM messages').fetchone() == (0,)
    (error,) = db.execute('SELECT error FROM dead_letters').fetchone()
    assert 'stood still' in error


def test_failed_renewal_is_retried(db, claims):
    failures = iter([1])

    def run(command, timeout):
        for _ in failures:
            raise StoreError('the disk is slow')
        return command(db)

    claims._committer.run = run
    claim(db, claims)
    first = stands_until(db)
    eventually(lambda: stands_until(db) > first)


@pytest.mark.parametrize('error', [RuntimeError('no good'), SystemExit(1), KeyError('x')])
def test_renewal_is_retried_after_any_exception(error, db, claims):
    failures = iter([error])

    def run(command, timeout):
        for failure in failures:
            raise failure
        return command(db)

    claims._committer.run = run
    claim(db, claims)
    first = stands_until(db)
    eventually(lambda: stands_until(db) > first)
