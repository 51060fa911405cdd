"""A message on its way to RabbitMQ, and the greenlet that waits for its outcome."""

from __future__ import annotations

from collections.abc import Callable

import amqp
import gevent
from greenlet import getcurrent, greenlet

from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.outbox import OutboxItem

__all__ = ['Publication']


class Publication(OutboxItem):
    """A message for one `publish`; `state` is its state in the outbox.

    With `mandatory`, a message that reaches no queue ends as unroutable. `before(channel)` is
    called each time just before the message is sent, and must not wait.
    """

    __slots__ = ('_waiting', 'before', 'exchange', 'mandatory', 'message', 'routing_key')

    def __init__(
        self,
        message: amqp.Message,
        exchange: str,
        routing_key: str,
        mandatory: bool = False,
        before: Callable[[AmqpChannel], object] | None = None,
    ) -> None:
        super().__init__(len(message.body))
        self.message = message
        self.exchange = exchange
        self.routing_key = routing_key
        self.mandatory = mandatory
        self.before = before
        self._waiting: greenlet | None = None

    @property
    def history(self) -> str:
        """How often it was sent and refused, for the text of an error."""
        sent = {0: 'never sent', 1: 'sent once'}
        text = sent.get(self.times_sent, f'sent {self.times_sent} times')
        if self.times_refused:
            text += f', refused {self.times_refused} times (basic.nack)'
        return text

    def is_returned(self, exchange: str, routing_key: str, message_id: object) -> bool:
        """Return whether a basic.return with these facts may be about this publication."""
        return (
            self.mandatory
            and self.message.properties.get('message_id') == message_id
            and (self.exchange, self.routing_key) == (exchange, routing_key)
        )

    def wait(self) -> None:
        """Wait until `wake` or `expire` is called; return at once if it is not under way."""
        if self.under_way:
            self._waiting = getcurrent()
            try:
                gevent.get_hub().switch()
            finally:
                self._waiting = None

    def wake(self) -> None:
        """Make `wait` return in the next turn of the loop. Never waits."""
        if self._waiting is not None:
            gevent.get_hub().loop.run_callback(self.expire)

    def expire(self) -> None:
        """Make `wait` return now. Only the hub may call this."""
        if self._waiting is not None:
            self._waiting.switch()
