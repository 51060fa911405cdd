from __future__ import annotations

import time
import tracemalloc
from contextvars import Context

import pytest
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st

import lymph
from lymph.core._loop import deadlines
from lymph.core._loop.deadlines import Expirations
from lymph.testing.waiting import eventually


def in_new_context(func, *args):
    return Context().run(func, *args)


def remaining_of(deadline, timeout):
    deadlines.set_current(deadline)
    return deadlines.remaining(timeout)


def test_work_without_a_deadline_has_the_whole_timeout():
    assert in_new_context(deadlines.current) is None
    assert in_new_context(deadlines.remaining, 3.0) == 3.0


def test_deadline_limits_every_timeout():
    assert 0 < in_new_context(remaining_of, time.monotonic() + 0.5, 60) <= 0.5
    assert in_new_context(remaining_of, time.monotonic() + 60, 0.5) == 0.5


def test_nothing_remains_after_the_deadline():
    assert in_new_context(remaining_of, time.monotonic() - 5, 60) == 0


@pytest.mark.parametrize(('seconds', 'over'), [(-1, True), (60, False)])
def test_work_with_a_deadline_is_given_up_when_it_has_passed(seconds, over):
    def ask():
        deadlines.set_current(time.monotonic() + seconds)
        return lymph.given_up()

    assert in_new_context(ask) is over


class Waiting:
    def __init__(self, expired, then=None):
        self.expired = expired
        self.then = then

    def expire(self):
        self.expired.append(self)
        if self.then is not None:
            self.then()


@pytest.fixture
def expirations():
    expirations = Expirations()
    yield expirations
    expirations.close()


def test_objects_expire_at_their_deadline(expirations):
    expired = []
    waiting = Waiting(expired)
    deadline = time.monotonic() + 0.02
    expirations.add(waiting, deadline)
    assert len(expirations) == 1
    eventually(lambda: expired == [waiting])
    assert time.monotonic() >= deadline
    assert len(expirations) == 0


def test_earliest_deadline_expires_first_in_any_order_of_adding(expirations):
    expired, now = [], time.monotonic()
    late, early, middle = Waiting(expired), Waiting(expired), Waiting(expired)
    expirations.add(late, now + 0.09)
    expirations.add(early, now + 0.01)
    expirations.add(middle, now + 0.05)
    eventually(lambda: expired == [early, middle, late])


def test_a_deadline_that_has_passed_expires_in_the_next_turn(expirations):
    expired = []
    expirations.add(Waiting(expired), time.monotonic() - 100)
    eventually(lambda: len(expired) == 1)


def test_discarded_object_does_not_expire(expirations):
    expired, deadline = [], time.monotonic() + 0.02
    gone, kept = Waiting(expired), Waiting(expired)
    ticket = expirations.add(gone, deadline)
    expirations.add(kept, deadline)
    expirations.discard(gone, ticket)
    expirations.discard(gone, ticket)
    eventually(lambda: expired == [kept])


def test_discarding_an_expired_object_is_ignored(expirations):
    expired = []
    waiting = Waiting(expired)
    ticket = expirations.add(waiting, time.monotonic())
    eventually(lambda: expired)
    expirations.discard(waiting, ticket)


def test_later_deadline_does_not_delay_earlier_ones(expirations):
    """An expired object may be added again, with a later deadline than those that wait."""
    expired, now = [], time.monotonic()
    again = Waiting(expired)
    first = Waiting(expired, then=lambda: expirations.add(again, now + 60))
    second = Waiting(expired)
    expirations.add(first, now + 0.01)
    expirations.add(second, now + 0.05)
    eventually(lambda: expired == [first, second])
    assert len(expirations) == 1


def test_expired_object_may_be_added_again_at_once(expirations):
    expired = []

    def again():
        if len(expired) < 5:
            expirations.add(Waiting(expired, again), time.monotonic())

    expirations.add(Waiting(expired, again), time.monotonic())
    eventually(lambda: len(expired) == 5)


def test_expiring_object_may_discard_another_of_the_same_tick(expirations):
    expired, tickets = [], {}

    def take_back_all():
        for waiting, ticket in tickets.items():
            expirations.discard(waiting, ticket)

    deadline = time.monotonic() + 0.01
    for _ in range(3):
        waiting = Waiting(expired, take_back_all)
        tickets[waiting] = expirations.add(waiting, deadline)
    eventually(lambda: len(expired) >= 1 and len(expirations) == 0)


def test_discarded_distant_deadlines_use_no_memory(expirations):
    kept, now = Waiting([]), time.monotonic()
    expirations.add(kept, now + 5e9)
    tracemalloc.start()
    try:
        for seconds in range(30_000):
            waiting = Waiting([])
            ticket = expirations.add(waiting, now + 1000 + seconds)
            expirations.discard(waiting, ticket)
        assert tracemalloc.get_traced_memory()[0] < 500_000
    finally:
        tracemalloc.stop()
    assert len(expirations) == 1


def test_nothing_expires_after_close(expirations):
    ended, expired, later = Expirations(), [], []
    ended.add(Waiting(expired), time.monotonic() + 0.01)
    ended.close()
    ended.close()
    assert len(ended) == 0
    expirations.add(Waiting(later), time.monotonic() + 0.03)
    eventually(lambda: later)
    assert expired == []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20))
def test_exactly_the_objects_that_were_not_discarded_expire(plan):
    expirations, expired, expected = Expirations(), [], []
    now = time.monotonic()
    for hundredths, taken_back in plan:
        waiting = Waiting(expired)
        ticket = expirations.add(waiting, now + hundredths / 100)
        if taken_back:
            expirations.discard(waiting, ticket)
        else:
            expected.append(waiting)
    eventually(lambda: len(expirations) == 0)
    assert set(map(id, expired)) == set(map(id, expected))
    assert len(expired) == len(expected)
    expirations.close()


def test_the_loop_is_not_woken_before_something_expires():
    readings = []

    def clock():
        readings.append(1)
        return time.monotonic()

    expirations, expired = Expirations(clock), []
    for hundredths in (30, 20, 10):
        expirations.add(Waiting(expired), time.monotonic() + hundredths / 100)
    eventually(lambda: len(expired) == 3)
    assert len(readings) < 20
    expirations.close()


def test_error_in_expire_does_not_affect_other_objects(caplog):
    class Waiting:
        def __init__(self, error=None):
            self.error, self.expired = error, Event()

        def expire(self):
            self.expired.set()
            if self.error is not None:
                raise self.error

    expirations = Expirations()
    everybody = [Waiting(RuntimeError('no good')) for _ in range(3)] + [Waiting()]
    for waiting in everybody:
        expirations.add(waiting, time.monotonic())
    assert all(waiting.expired.wait(5) for waiting in everybody)
    assert 'did not expire' in caplog.text
    expirations.close()
