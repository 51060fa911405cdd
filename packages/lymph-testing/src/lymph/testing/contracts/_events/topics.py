"""Subscriptions select events by topics and patterns."""

from __future__ import annotations

import pytest

from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.exceptions import SubscriptionError
from lymph.testing.contracts._events.harness import EventSystemHarness, Inbox

__all__ = ['TopicsContract']


class TopicsContract(EventSystemHarness):
    """Tests of topics and patterns, valid and invalid."""

    @pytest.mark.parametrize(
        ('pattern', 'inside', 'outside'),
        [
            ('order.paid', ['order.paid'], ['order', 'order.paid.late', 'orders.paid']),
            ('order.*', ['order.paid', 'order.sent'], ['order', 'order.paid.late']),
            ('order.#', ['order', 'order.paid', 'order.paid.late'], ['orders']),
            ('*.late', ['order.late'], ['late', 'order.paid.late']),
            ('#.late', ['late', 'order.paid.late'], ['late.order']),
            ('a.#.b', ['a.b', 'a.x.y.b'], ['a', 'b', 'a.b.c']),
        ],
    )
    def test_a_pattern_collects_the_topics_it_stands_for(
        self, pattern: str, inside: list[str], outside: list[str]
    ) -> None:
        """`*` matches exactly one word, `#` zero or more words."""
        system, inbox = self.start(), Inbox()
        self.subscribe(system, inbox, pattern)
        for topic in [*outside, *inside]:
            self.emit(system, topic, topic)
        self.eventually(lambda: len(inbox.events) >= len(inside))
        self.settle()
        assert sorted(inbox.numbers) == sorted(inside)

    @pytest.mark.parametrize('topic', ['', 'a..b', '.a', 'a b', 'a.*', '#', 'x' * 256])
    def test_event_type_that_is_not_a_topic_is_rejected(self, topic: str) -> None:
        """`emit` raises ValueError for an invalid topic, also for a pattern."""
        system = self.start()
        with pytest.raises(ValueError, match='expected an event type'):
            system.emit(Event(topic, {}))

    @pytest.mark.parametrize('topic', ['', 'a..b', 'a.', 'a b', 'a.b*', '##', 'x' * 256])
    def test_subscription_to_an_invalid_topic_is_rejected(self, topic: str) -> None:
        """`subscribe` raises SubscriptionError for an invalid pattern."""
        system = self.start()
        with pytest.raises(SubscriptionError, match=r'expected'):
            system.subscribe(Subscription(self.queue(), (topic,), Inbox()))
