"""The event system that carries nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView
from lymph.core.events import Event
from lymph.core.options import refuse_unknown
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.envelope import pack_event

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['NullEventSystem']


class NullEventSystem(BaseEventSystem):
    """Accepts every event and delivers none; makes the same checks as the other event systems."""

    def __init__(self, **kwargs: Unpack[ComponentParts]) -> None:
        super().__init__(**kwargs)
        self._subscriptions: dict[str, Subscription] = {}

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> NullEventSystem:
        """Make the event system; its section has no key but `class`.

        Raises ConfigurationError for other keys.
        """
        refuse_unknown(config, ())
        return cls(**kwargs)

    def subscribe(self, subscription: Subscription) -> None:
        """Check the subscription; its handler is never called. Raises SubscriptionError."""
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        check_subscription(subscription, self._subscriptions.get(subscription.queue_name))
        self._subscriptions[subscription.queue_name] = subscription

    def declare(self, subscription: Subscription) -> None:
        """Check the subscription; raises SubscriptionError."""
        self._expect_own_thread(f'{subscription.queue_name} was declared')
        check_declaration(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget the subscription."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        if self._subscriptions.get(subscription.queue_name) is subscription:
            del self._subscriptions[subscription.queue_name]

    def emit(self, event: Event, delay: float = 0) -> None:
        """Check the event and drop it.

        Raises SerializationError and ValueError as the contract says.
        """
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        pack_event(event)
