"""A message on its way to the broker, and whoever waits for what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import amqp
import gevent
from greenlet import getcurrent, greenlet

from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._rabbitmq.channels import Channel

__all__ = ['Publication']


class Publication:
    """A message on its way; `before` is called with the channel just before it is sent."""

    def __init__(
        self,
        message: amqp.Message,
        exchange: str,
        routing_key: str,
        mandatory: bool = False,
        before: Callable[[Channel], object] | None = None,
    ) -> None:
        self.message = message
        self.exchange = exchange
        self.routing_key = routing_key
        self.mandatory = mandatory
        self.before = before
        self.size = len(message.body)
        self.sent = 0
        self.refused = 0
        self.suspect = False
        self.returned: str | None = None
        self.settled = False  # nobody waits for it any more
        self.error: BrokerError | None = None  # what went wrong
        self._waiting: greenlet | None = None

    def wait(self) -> None:
        """Return when it is settled, or its time has come."""
        if not self.settled:
            self._waiting = getcurrent()
            try:
                gevent.get_hub().switch()
            finally:
                self._waiting = None

    def settle(self, error: BrokerError | None) -> None:
        """Give it its outcome; whoever waits goes on soon."""
        self.settled = True
        self.error = error
        if self._waiting is not None:
            gevent.get_hub().loop.run_callback(self.expire)

    def expire(self) -> None:
        """Have whoever waits go on. Only for the hub."""
        if self._waiting is not None:
            self._waiting.switch()
