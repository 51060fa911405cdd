"""The checks of events and subscriptions that all event systems share."""

from __future__ import annotations

from datetime import timedelta

from lymph.config.printable import quoted
from lymph.core.events import Event
from lymph.core.failures import described
from lymph.events.base import Subscription
from lymph.events.topics import check_pattern, check_topic
from lymph.exceptions import SubscriptionError

__all__ = [
    'LONGEST_DELAY',
    'check_declaration',
    'check_delay',
    'check_emission',
    'check_subscription',
]

#: seconds; every event system can compute with it in milliseconds
LONGEST_DELAY = 36_525 * 86_400.0


def check_delay(delay: object, event_type: str) -> None:
    """Raise ValueError unless `delay` is a number of seconds from 0 to `LONGEST_DELAY`.

    Booleans are rejected, as are `timedelta`, `Decimal` and text: the number that every event
    system computes with is an int or a float.
    """
    number = isinstance(delay, (int, float)) and not isinstance(delay, bool)
    if number and 0 <= delay <= LONGEST_DELAY:  # type: ignore[operator]  # false for nan
        return
    hint = '; write delay.total_seconds()' if isinstance(delay, timedelta) else ''
    raise ValueError(
        f'expected the delay of the event {event_type} as a number of seconds from 0 to '
        f'{LONGEST_DELAY:.0f} (a hundred years), found {described(delay)}{hint}'
    )


def check_emission(event: Event, delay: object) -> None:
    """Raise ValueError for an invalid event type and for an invalid delay.

    An invalid trace id is accepted: the receiver replaces it, so that the event is not lost.
    """
    check_topic(event.type)
    check_delay(delay, event.type)


def check_subscription(subscription: Subscription, consuming: Subscription | None) -> None:
    """Raise SubscriptionError for bad topics, and when the queue is consumed already.

    `consuming` is the subscription of this instance that consumes the queue of that name, or None.
    """
    name = subscription.queue_name
    if not name or not isinstance(name, str) or not name.isprintable():
        raise SubscriptionError(f'expected a queue name for a subscription, found {quoted(name)}')
    if consuming is not None:
        raise SubscriptionError(
            f'the queue {quoted(name)} is consumed already by {consuming.handler!r}; '
            f'give {subscription.handler!r} a queue name of its own'
        )
    if not subscription.event_types:
        raise SubscriptionError(f'{name}: expected one event type or more, found none')
    for event_type in subscription.event_types:
        try:
            check_pattern(event_type)
        except ValueError as error:
            raise SubscriptionError(f'{name}: {error}') from error
    if subscription.exclusive and subscription.temporary:
        raise SubscriptionError(
            f'{name}: expected a durable queue for an exclusive subscription, found one that '
            'belongs to its instance alone (broadcast, once or not durable)'
        )
    retry: object = subscription.retry
    if not isinstance(retry, int) or isinstance(retry, bool) or retry < 0:
        found = described(retry)
        raise SubscriptionError(f'{name}: expected retry as a whole number >= 0, found {found}')


def check_declaration(subscription: Subscription) -> None:
    """Raise SubscriptionError for bad topics, and for a queue that would end with its instance."""
    check_subscription(subscription, None)
    if subscription.temporary:
        raise SubscriptionError(
            f'{subscription.queue_name}: expected a durable queue to keep events for others, found '
            'one that ends with its instance (broadcast, once or not durable)'
        )
