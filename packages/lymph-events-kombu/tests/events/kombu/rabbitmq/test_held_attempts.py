from __future__ import annotations

from typing import Any

import amqp
import pytest

from lymph.events.kombu._rabbitmq.held_attempts import HeldAttempts


def message(id: str = 'x', delivered_before: int = 0, attempts: int = 0) -> Any:
    headers = {'x-delivery-count': delivered_before, 'lymph-attempts': attempts}
    properties = {'message_id': id} if id else {}
    return amqp.Message(b'', application_headers=headers, **properties)


def test_attempts_at_other_events_are_counted_by_the_broker() -> None:
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
def test_redelivered_held_event_continues_its_count(failed: int, following: int) -> None:
    count = HeldAttempts()
    count.hold(message(), failed)
    assert count.number(message(delivered_before=1)) == following


def test_attempts_of_other_consumers_meanwhile_are_counted() -> None:
    count = HeldAttempts()
    count.hold(message(), 1)
    assert count.number(message(delivered_before=5)) == 6


def test_each_event_has_its_own_count() -> None:
    count = HeldAttempts()
    count.hold(message('x'), 4)
    assert count.number(message('y')) == 1
    count.forget()
    assert count.number(message('x')) == 1
