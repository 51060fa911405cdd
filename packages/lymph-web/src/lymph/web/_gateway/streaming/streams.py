"""``GET /api/events``: the streams of all clients of a process.

A stream begins with its first part, as `bodies` has it: it subscribes then. It ends

- with the connection;
- when the client falls behind, after an event that says so;
- in a drain, at its next heartbeat, and as soon as no more calls arrive. A client that comes back
  meanwhile gets an empty stream: an `EventSource` reconnects after the end of a stream, but never
  after an error.

Events are not kept for clients that reconnect: ``Last-Event-ID`` is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

from werkzeug.exceptions import BadRequest, NotFound, ServiceUnavailable
from werkzeug.wrappers import Request, Response

from lymph.config import ConfigView
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.monitoring.metrics import Aggregate, Counter
from lymph.core.monitoring.metrics import Callable as Gauged
from lymph.events.topics import Pattern
from lymph.exceptions import SubscriptionError
from lymph.web._gateway.streaming.bodies import StreamBody, stream_response
from lymph.web._gateway.streaming.feeds import Feed, FeedHost, Feeds
from lymph.web._gateway.streaming.topics import AllowedEvents, topic_for

__all__ = ['EventStreams', 'StreamSettings']

logger = logging.getLogger(__name__)

_RETRY_AFTER = 5  # seconds

describe('streams.open', 'gauge', 'Streams of events to HTTP clients.', tags=('interface',))
describe(
    'streams.behind',
    'counter',
    'Streams that were ended because their clients fell behind.',
    tags=('interface',),
)


@dataclass(frozen=True)
class StreamSettings:
    """The keys for events of a gateway's section.

    `heartbeat` is in seconds; `backlog` is how many events may wait for one client.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('events', 'max_streams', 'heartbeat', 'max_backlog')

    allowed: AllowedEvents
    max_streams: int = 100
    heartbeat: float = 15.0
    max_backlog: int = 1000

    @classmethod
    def from_config(cls, view: ConfigView) -> StreamSettings | None:
        """Read the keys; None without `events`. Raises ConfigurationError for invalid values.

        Each stream takes a place of `wsgi_pool_size`, of which the default leaves half.
        """
        places = view.get_int('wsgi_pool_size', None)
        usual = cls.max_streams if places is None else min(cls.max_streams, max(1, places // 2))
        most = view.get_int('max_streams', usual, minimum=1, maximum=1_000_000)
        heartbeat = view.get_seconds('heartbeat', cls.heartbeat, maximum=3600)
        backlog = view.get_int('max_backlog', cls.max_backlog, minimum=1, maximum=1_000_000)
        patterns = view.get_list('events', None)
        if patterns is None:
            return None
        if places is not None and most >= places:
            text = f'expected fewer than the {places} places of wsgi_pool_size, found {most}'
            raise view.error('max_streams', f'{text}; streams would leave none for other requests')
        if not patterns:
            raise view.error('events', "expected event types, like ['shop.*'], found none")
        try:
            return cls(AllowedEvents(patterns), most, heartbeat, backlog)
        except ValueError as error:
            raise view.error('events', str(error)) from None


class EventStreams:
    """Answers requests for events, as `settings` allow.

    `host` is the container, `name` the interface; `plain(body)` returns the body of an event in
    JSON types; `is_draining` returns whether the process is about to stop.
    """

    def __init__(
        self,
        settings: StreamSettings,
        host: FeedHost,
        name: str,
        plain: Callable[[Any], Any],
        is_draining: Callable[[], bool] = bool,
    ) -> None:
        self.settings = settings
        self.feeds = Feeds(host, name, plain)
        self._is_draining = is_draining
        self._ended = False
        self._log = LimitedLog(logger)
        self._open: set[_Stream] = set()
        self._behind = Counter('streams.behind')
        #: how many streams are open, and how many have ended because their clients fell behind
        self.metrics = Aggregate(
            [Gauged('streams.open', lambda: len(self._open)), self._behind], {'interface': name}
        )

    @property
    def ending(self) -> bool:
        """Whether new streams end at once."""
        return self._ended or self._is_draining()

    def answer(self, request: Request) -> Response:
        """Return the stream of the types that a GET request asks for; to HEAD, only its head.

        Raises BadRequest and NotFound. Without a place or a subscription, the first part of the
        body raises ServiceUnavailable.
        """
        try:
            topics = self.settings.allowed.choose(request.args.getlist('type'))
        except LookupError as error:
            raise NotFound(str(error)) from None
        except ValueError as error:
            raise BadRequest(str(error)) from None
        return stream_response(request, lambda link: _Stream(self, topics, link))

    def enter(self, stream: _Stream) -> None:
        """Give a stream its place; raises ServiceUnavailable if there is none."""
        if len(self._open) >= self.settings.max_streams:
            text = f'{self.settings.max_streams} clients receive events already; try again later'
            raise ServiceUnavailable(text, retry_after=_RETRY_AFTER)
        self._open.add(stream)

    def leave(self, stream: _Stream, behind: bool) -> None:
        """Free the place of a stream; `behind` is whether its client has lost events."""
        if stream in self._open:
            self._open.remove(stream)
            self._behind += int(behind)

    def unavailable(self, error: SubscriptionError) -> ServiceUnavailable:
        """Log `error`; return the answer to a client that could not be subscribed."""
        self._log.write(logging.WARNING, 'subscribe', 'no stream for a client: %s', error)
        text = 'The event system is not available.'
        return ServiceUnavailable(text, retry_after=_RETRY_AFTER)

    def end(self) -> None:
        """End all streams, and each new one after its first part."""
        self._ended = True
        for stream in tuple(self._open):
            stream.end()
        self.feeds.close()
        self._log.close()


class _Stream(StreamBody):
    """The body of one answer; `link` is its connection."""

    def __init__(self, streams: EventStreams, topics: Sequence[Pattern], link: Any) -> None:
        settings = streams.settings
        super().__init__(settings.max_backlog, settings.heartbeat, lambda: streams.ending, link)
        self._topics = topics
        #: the topics of the feeds by which they come
        self._sources: dict[str, str] = {}
        self._streams = streams
        self._feeds: list[Feed] = []

    def source_of(self, type: str) -> str | None:
        """Return the topic of the feed by which the stream gets events of a type."""
        return self._sources.get(topic_for(type, self._topics) or '')

    def on_begin(self) -> None:
        """Take a place and subscribe; raises ServiceUnavailable if either is not to be had."""
        self._streams.enter(self)
        try:
            for topic in self._topics:
                source = self._streams.settings.allowed.source_of(topic)
                feed = self._streams.feeds.join(topic, self, source)
                self._sources[topic.text] = feed.topic.text
                if feed not in self._feeds:
                    self._feeds.append(feed)
        except SubscriptionError as error:
            raise self._streams.unavailable(error) from error

    def on_close(self) -> None:
        """Free the place, and leave the feeds."""
        with ExitStack() as steps:  # all are done, also if one of them raises or is interrupted
            steps.callback(self._streams.leave, self, self.behind)
            while self._feeds:
                steps.callback(self._feeds.pop().leave, self)
