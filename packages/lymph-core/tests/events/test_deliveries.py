from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.deliveries import (
    HANDLED,
    LOSSES,
    Again,
    Attempt,
    Dead,
    after_loss,
    decide,
    ends_once,
)
from lymph.events.versions import OTHER_VERSIONS, NotHandled
from lymph.exceptions import EventRejected
from lymph.testing.contracts._events.outcomes import RAISED

CHANCE = st.floats(0, 1, exclude_max=True)
STEADY = Backoff(first=1, factor=2, longest=10, jitter=0)
BROKEN = RuntimeError('broken')
REJECTED = EventRejected('no customer')
NOT_HANDLED = NotHandled('for another version')

ALONE = [{'exclusive': True}, {'broadcast': True}, {'once': True}, {'durable': False}]


def subscription(**options):
    return Subscription('queue', ('thing',), print, **options)


def again(delay, error=BROKEN):
    return Again(delay, error)


TABLE = [
    # attempt, subscription, outcome
    (Attempt(1), {}, HANDLED),
    (Attempt(7), {'retry': 2}, HANDLED),
    (Attempt(1, BROKEN), {}, Dead(BROKEN)),
    (Attempt(1, BROKEN), {'retry': 1}, again(1)),
    (Attempt(2, BROKEN), {'retry': 1}, Dead(BROKEN)),
    (Attempt(1, BROKEN), {'retry': 5}, again(1)),
    (Attempt(2, BROKEN), {'retry': 5}, again(2)),
    (Attempt(3, BROKEN), {'retry': 5}, again(4)),
    (Attempt(4, BROKEN), {'retry': 5}, again(8)),
    (Attempt(5, BROKEN), {'retry': 5}, again(10)),
    (Attempt(6, BROKEN), {'retry': 5}, Dead(BROKEN)),
    # lost consumers have used up the retries
    (Attempt(4, BROKEN), {'retry': 2}, Dead(BROKEN)),
    (Attempt(1, REJECTED), {'retry': 5}, Dead(REJECTED)),
    (Attempt(1, BROKEN, unpacked=False), {'retry': 5}, Dead(BROKEN, unpacked=False)),
    (Attempt(1, NOT_HANDLED), {}, again(1, NOT_HANDLED)),
    (Attempt(OTHER_VERSIONS, NOT_HANDLED), {}, again(10, NOT_HANDLED)),
    (Attempt(OTHER_VERSIONS + 1, NOT_HANDLED), {'retry': 50}, Dead(NOT_HANDLED)),
    *((Attempt(1, NOT_HANDLED), {'retry': 5, **alone}, Dead(NOT_HANDLED)) for alone in ALONE),
]


@pytest.mark.parametrize(('attempt', 'options', 'outcome'), TABLE)
def test_attempt_has_the_outcome_in_the_table(attempt, options, outcome):
    assert decide(attempt, subscription(**options), 0.5, STEADY) == outcome


@given(st.integers(0, 50), CHANCE, st.sets(st.integers(1, 60)))
def test_number_of_attempts_is_limited_even_if_consumers_are_lost(retry, chance, lost):
    handled = subscription(retry=retry)
    number = 1
    while number in lost or isinstance(
        decide(Attempt(number, BROKEN), handled, chance), Again
    ):  # a lost consumer has no outcome; the event is delivered again
        number += 1
    assert number == 1 + retry or set(range(1 + retry, number)) <= lost


@pytest.mark.parametrize('make', RAISED)
def test_any_exception_of_a_handler_has_an_outcome(make):
    error = make()
    assert isinstance(decide(Attempt(1, error), subscription(retry=1), 0.5), Again)
    assert isinstance(decide(Attempt(2, error), subscription(retry=1), 0.5), Dead)


@pytest.mark.parametrize(
    ('outcome', 'ends'),
    [
        (HANDLED, True),
        (Dead(BROKEN), True),
        (again(1), False),
        (Dead(BROKEN, unpacked=False), False),
    ],
)
def test_once_subscription_ends_when_its_event_was_handled_or_given_up(outcome, ends):
    assert ends_once(outcome) is ends


def test_event_is_redelivered_after_its_consumer_was_lost():
    assert after_loss(1)


def test_event_that_keeps_killing_its_consumers_becomes_a_dead_letter():
    losses = 1
    while after_loss(losses):
        losses += 1
    assert losses == 1 + LOSSES
