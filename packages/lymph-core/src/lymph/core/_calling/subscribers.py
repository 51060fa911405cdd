"""The subscriptions of a container: their handlers run in its context, and are counted."""

from __future__ import annotations

from collections.abc import Callable

from lymph.core._hosting.handler_figures import HandlerFigures, HandlerStats
from lymph.core._hosting.subscriptions import hosted
from lymph.core._monitoring.recent_work import RecentWork
from lymph.core._work.chains import Chains
from lymph.events.base import BaseEventSystem, Subscription

__all__ = ['Subscribers']


class Subscribers:
    """Subscribes handlers at an event system, and knows which subscriptions have not ended.

    `events()` returns the event system, and may have to start it. `chains` has the interceptors of
    handlers, `recent` keeps what they do.
    """

    def __init__(
        self, events: Callable[[], BaseEventSystem], chains: Chains, recent: RecentWork
    ) -> None:
        self._events = events
        self._chains = chains
        self._recent = recent
        self._subscribed: dict[Subscription, HandlerStats] = {}
        #: counts of what handlers do, as metrics
        self.figures = HandlerFigures()

    def subscribe(
        self, subscription: Subscription, ended: Callable[[], object] | None
    ) -> Subscription:
        """Subscribe a handler; return the subscription to pass to `unsubscribe`.

        `ended()` is called when a `once` subscription has had its event. Raises what the event
        system raises.
        """
        stats = self.figures.of(subscription)

        def end() -> None:
            self._forget(wrapped)
            if ended is not None:
                ended()

        wrapped = hosted(subscription, stats, end, self._chains, self._recent)
        stats.subscriptions += 1
        self._subscribed[wrapped] = stats  # before `subscribe`: `end` may run inside it
        try:
            self._events().subscribe(wrapped)
        except BaseException:
            self._forget(wrapped)
            raise
        return wrapped

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription that `subscribe` returned. Unknown subscriptions are ignored."""
        if subscription in self._subscribed:
            self._events().unsubscribe(subscription)
            self._forget(subscription)

    def _forget(self, subscription: Subscription) -> None:
        stats = self._subscribed.pop(subscription, None)
        if stats is not None:
            stats.subscriptions -= 1
