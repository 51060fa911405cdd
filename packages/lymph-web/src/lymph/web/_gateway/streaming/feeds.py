"""The subscriptions behind all streams of a process: one for each topic that is asked for.

===========  ======================================  ==========================================
state        the first client joins                  the last client leaves
===========  ======================================  ==========================================
none         → subscribing
subscribing  others wait for the same outcome
live                                                 → none, and the subscription ends
failed       all that waited get the error → none
===========  ======================================  ==========================================

Clients choose the types, so their number is bounded: beyond it, a client gets its events by the
entry of the allow list that allows its topic.

A handler only puts events into backlogs, which never waits and never fails, so that no event is
tried again or becomes a dead letter here.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from gevent.event import AsyncResult

from lymph.config.printable import quoted
from lymph.core._work.handling import HandlerWork
from lymph.core.events import Event
from lymph.core.failures import error_line
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.events.base import Subscription
from lymph.events.topics import Pattern
from lymph.exceptions import SubscriptionError
from lymph.web._gateway.streaming.frames import event_frame

__all__ = ['Feed', 'FeedHost', 'Feeds', 'Receiver']

logger = logging.getLogger(__name__)

_MOST: Final = 100  # subscriptions, and one for each entry of the allow list


class FeedHost(Protocol):
    """What feeds need of a container."""

    identity: str

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Subscribe a handler; return the subscription to pass to `unsubscribe`."""

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""


class Receiver(Protocol):
    """A client's stream."""

    def source_of(self, type: str) -> str | None:
        """Return the topic of the feed by which the stream gets events of a type."""

    def put(self, frame: bytes) -> None:
        """Take an event; never waits."""


class Feeds:
    """Subscribes to topics for clients; `name` is that of the interface.

    `plain(body)` returns the body of an event in JSON types.
    """

    def __init__(self, host: FeedHost, name: str, plain: Callable[[Any], Any]) -> None:
        self._host = host
        self._name = name
        self._plain = plain
        self._feeds: dict[str, Feed] = {}
        self._serial = itertools.count(1)
        self._log = LimitedLog(logger)

    def join(self, topic: Pattern, receiver: Receiver, source: Pattern) -> Feed:
        """Put events of a topic into `receiver` from now on, until it leaves the feed.

        The feed may be that of `source`, which matches at least as much. Waits for the event
        system. Raises SubscriptionError when that refuses.
        """
        if topic.text not in self._feeds and len(self._feeds) >= _MOST:
            topic = source
        feed = self._feeds.get(topic.text)
        first = feed is None
        if feed is None:
            feed = self._feeds[topic.text] = Feed(topic, self._end)
        feed.receivers[receiver] = None
        try:
            if first:
                self._open(feed)
            else:
                feed.ready.get()
        except BaseException:
            feed.leave(receiver)
            raise
        return feed

    def close(self) -> None:
        """Log how many lines were left out."""
        self._log.close()

    def _open(self, feed: Feed) -> None:
        try:
            feed.subscription = self._host.subscribe(self._subscription(feed))
        except BaseException as error:
            del self._feeds[feed.topic.text]
            feed.ready.set_exception(SubscriptionError(error_line(error)))
            raise
        feed.ready.set()

    def _subscription(self, feed: Feed) -> Subscription:
        name = f'{self._name}.streams'
        return Subscription(
            f'{name}.{self._host.identity}.{next(self._serial)}',
            (feed.topic.text,),
            lambda event: self._deliver(feed, event),
            sequential=True,  # in their order
            durable=False,
            work=HandlerWork(name, intercepted=False, runtime=True),
        )

    def _deliver(self, feed: Feed, event: Event) -> None:
        chosen = [
            receiver
            for receiver in feed.receivers
            if receiver.source_of(event.type) == feed.topic.text
        ]
        if not chosen:
            return
        try:
            frame = event_frame(event, self._plain)
        except ValueError as error:
            self._log.write(
                logging.WARNING, 'type', 'event %s not sent: %s', quoted(event.id), error
            )
            return
        for receiver in chosen:
            receiver.put(frame)

    def _end(self, feed: Feed) -> None:
        if self._feeds.get(feed.topic.text) is feed:
            del self._feeds[feed.topic.text]
        subscription, feed.subscription = feed.subscription, None
        if subscription is not None:
            self._host.unsubscribe(subscription)


class Feed:
    """One topic, and who receives its events; `end` is called when the last one has left."""

    def __init__(self, topic: Pattern, end: Callable[[Feed], None]) -> None:
        self.topic = topic
        self.receivers: dict[Receiver, None] = {}
        self.ready: AsyncResult[None] = AsyncResult()
        self.subscription: Subscription | None = None
        self._end = end

    def leave(self, receiver: Receiver) -> None:
        """Put no more events into `receiver`."""
        if self.receivers.pop(receiver, self) is None and not self.receivers:
            self._end(self)
