from __future__ import annotations

from typing import Any

import amqp
import pytest

from lymph.events.kombu._rabbitmq.held_attempts import HeldAttempts


def message(id: str = 'x', delivered_before: int = 0, attempts: int = 0) -> Any:
    headers = {'x-delivery-count': delivered_before, 'lymph-attempts': attempts}
    properties = {'message_id': id} if id else {}
    return amqp.Message(b'', application_headers=headers, **properties)


def test_the_broker_counts_what_was_not_held() -> None:
    assert HeldAttempts().number(message()) == 1
    assert HeldAttempts().number(message(delivered_before=3, attempts=2)) == 6


def test_attempts_at_a_held_event_are_counted() -> None:
    count, held = HeldAttempts(), message(id='', delivered_before=1)
    assert count.number(held) == 2
    count.hold(held, 2)
    assert count.number(held) == 3
    count.hold(held, 3)
    assert count.number(held) == 4


@pytest.mark.parametrize(('failed', 'following'), [(1, 2), (4, 5)])
def test_a_held_event_that_is_delivered_again_goes_on_in_its_count(
    failed: int, following: int
) -> None:
    count = HeldAttempts()
    count.hold(message(), failed)
    assert count.number(message(delivered_before=1)) == following


def test_attempts_that_others_made_meanwhile_count() -> None:
    count = HeldAttempts()
    count.hold(message(), 1)
    assert count.number(message(delivered_before=5)) == 6


def test_another_event_has_a_count_of_its_own() -> None:
    count = HeldAttempts()
    count.hold(message('x'), 4)
    assert count.number(message('y')) == 1
    count.forget()
    assert count.number(message('x')) == 1
