"""Emit events: put each into all queues that collect its topic, in one step.

The publisher caches the bindings with their version. If the version in Redis is another one by
then, the script puts the event nowhere and returns the new bindings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from lymph.events.kombu._connecting.bounds import Bounds
from lymph.events.kombu._redis.links import RedisLink
from lymph.events.topics import matches_any

__all__ = ['RedisPublisher']

_BOUNDS = Bounds()  # of events whose outcome is not known yet
_REMEMBERED = 4096  # topics whose queues are cached


class RedisPublisher:
    """Puts events into Redis over `link`, with a timeout of `timeout` seconds for each."""

    def __init__(self, link: RedisLink, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._version = b''
        self._bindings: dict[bytes, tuple[str, ...]] = {}  # by queue
        self._known: dict[str, tuple[bytes, ...]] = {}  # the queues of a topic
        self._events = 0
        self._bytes = 0

    def publish(self, topic: str, data: bytes, delay: float) -> None:
        """Put an event into its queues, and return when Redis has confirmed it.

        `data` is the packed event, `delay` is in seconds. The event is sent again when the
        connection is lost before the answer, so its queues may then have it twice. Raises
        BrokerError when Redis refuses or does not confirm in time, and when 10,000 events or 64 MiB
        are waiting already.
        """
        if not _BOUNDS.admit(self._events, self._bytes, len(data)):
            reason = 'Redis is slow' if self._link.up.ready() else self._link.trouble
            raise Bounds.overflow(self._events, self._bytes, reason)
        self._events += 1
        self._bytes += len(data)
        try:
            self._publish(topic, data, math.ceil(delay * 1000))
        finally:
            self._events -= 1
            self._bytes -= len(data)

    def _publish(self, topic: str, data: bytes, delay: int) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            args = self._version, data, delay, *self._queues(topic)
            left = max(deadline - time.monotonic(), 0)
            reply = self._link.script(left, 'put', *args, strict=True)
            if reply[0]:
                return
            self._learn(*reply[1:])

    def _queues(self, topic: str) -> tuple[bytes, ...]:
        found = self._known.get(topic)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[topic] = tuple(
                queue for queue, topics in self._bindings.items() if matches_any(topics, topic)
            )
        return found

    def _learn(self, version: bytes, bindings: Sequence[bytes]) -> None:
        self._version = version
        self._bindings = {
            queue: tuple(topics.decode(errors='replace').split(' '))
            for queue, topics in zip(bindings[::2], bindings[1::2], strict=True)
        }
        self._known.clear()
