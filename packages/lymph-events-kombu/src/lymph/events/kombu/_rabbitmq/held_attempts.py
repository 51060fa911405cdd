"""The count of attempts at an event that its consumer holds until it is tried again.

The broker counts deliveries, and an event that is held is delivered once, however often its handler
is called. So the consumer counts the attempts itself. When the connection is lost meanwhile, the
broker delivers the event again, and the consumer goes on counting where it was. When the consumer's
process ends, its count is lost: another one begins with what the broker knows, so that everything
the lost one tried counts as one attempt.
"""

from __future__ import annotations

import amqp

from lymph.events.kombu._rabbitmq.messages import attempt_of

__all__ = ['HeldAttempts']


class HeldAttempts:
    """Counts for a consumer that handles one event at a time."""

    def __init__(self) -> None:
        self._message: amqp.Message | None = None
        self._number = 0

    def number(self, message: amqp.Message) -> int:
        """Return which attempt at an event the next one is, from 1."""
        held = self._message
        if held is None or not _same(held, message):
            return attempt_of(message)
        return max(attempt_of(message), self._number + 1)

    def hold(self, message: amqp.Message, number: int) -> None:
        """Note that attempt `number` failed and that another one follows."""
        self._message, self._number = message, number

    def forget(self) -> None:
        """Note that no other attempt follows: what comes with the same id is another event."""
        self._message = None


def _same(held: amqp.Message, message: amqp.Message) -> bool:
    id = held.properties.get('message_id')
    return held is message or (bool(id) and id == message.properties.get('message_id'))
