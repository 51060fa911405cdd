"""The count of attempts at an event that its consumer holds between attempts.

The broker counts deliveries, and a held event is delivered once, however often its handler is
called. So the consumer counts the attempts itself. If the connection is lost meanwhile, the broker
delivers the event again, and the consumer continues its count. If the process of the consumer ends,
its count is lost: the next consumer starts from the broker's count, in which all attempts of the
lost process are one.
"""

from __future__ import annotations

import amqp

from lymph.events.kombu._rabbitmq.messages import attempt_of

__all__ = ['HeldAttempts']


class HeldAttempts:
    """Counts the attempts of a consumer that handles one event at a time."""

    def __init__(self) -> None:
        self._message: amqp.Message | None = None
        self._number = 0

    def number(self, message: amqp.Message) -> int:
        """Return the number of the next attempt at an event, from 1."""
        held = self._message
        if held is None or not _same(held, message):
            return attempt_of(message)
        return max(attempt_of(message), self._number + 1)

    def hold(self, message: amqp.Message, number: int) -> None:
        """Note that attempt `number` failed and that another one follows."""
        self._message, self._number = message, number

    def forget(self) -> None:
        """Note that no attempt follows, so a later message with this id is counted anew."""
        self._message = None


def _same(held: amqp.Message, message: amqp.Message) -> bool:
    id = held.properties.get('message_id')
    return held is message or (bool(id) and id == message.properties.get('message_id'))
