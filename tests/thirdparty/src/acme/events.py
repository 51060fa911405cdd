"""An event system that carries events within its own process, by their exact type."""

from __future__ import annotations

from typing import Any

from lymph.config import ConfigView
from lymph.core.events import Event
from lymph.events.base import BaseEventSystem, Subscription

__all__ = ['AcmeEvents']


class AcmeEvents(BaseEventSystem):
    """Runs each handler of an event in a greenlet of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._subscriptions: set[Subscription] = set()

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> AcmeEvents:
        return cls(**kwargs)

    def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions.add(subscription)

    def declare(self, subscription: Subscription) -> None:
        pass  # what nobody consumes here is not kept

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    def emit(self, event: Event, delay: float = 0) -> None:
        for subscription in self._subscriptions:
            if event.type in subscription.event_types:
                self.spawn(subscription.handler, event)
