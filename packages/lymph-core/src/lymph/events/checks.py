"""What every event system refuses, in the same words."""

from __future__ import annotations

import math

from lymph.config.printable import quoted
from lymph.core.events import Event
from lymph.core.protocol.topics import check_pattern, check_topic
from lymph.events.base import Subscription
from lymph.exceptions import SubscriptionError

__all__ = ['check_declaration', 'check_emission', 'check_subscription']


def check_emission(event: Event, delay: float) -> None:
    """Raise ValueError for a type that is no topic and for a delay that is no time to wait.

    A trace id that is none is no reason to lose the event: it is replaced where that arrives.
    """
    check_topic(event.type)
    if not (delay >= 0 and math.isfinite(delay)):
        raise ValueError(
            f'expected a delay of 0 seconds or more for the event {event.type}, '
            f'found {quoted(delay)}'
        )


def check_subscription(subscription: Subscription, consuming: Subscription | None) -> None:
    """Raise SubscriptionError for bad topics, and when the queue is consumed already.

    `consuming` is the subscription of this instance that consumes the queue of that name.
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
    if subscription.retry < 0:
        raise SubscriptionError(
            f'{name}: expected retry to be 0 or more, found {subscription.retry}'
        )


def check_declaration(subscription: Subscription) -> None:
    """Raise SubscriptionError for bad topics, and for a queue that would end with its instance."""
    check_subscription(subscription, None)
    if subscription.temporary:
        raise SubscriptionError(
            f'{subscription.queue_name}: expected a durable queue to keep events for others, found '
            'one that ends with its instance (broadcast, once or not durable)'
        )
