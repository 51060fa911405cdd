"""Counts the events that were given back before their handlers began.

RabbitMQ counts each of them as a failed delivery: a quorum queue increments ``x-delivery-count``, a
classic queue marks the event as redelivered. But `attempt` counts calls of the handler, and an
event with too many losses is suspected of killing its consumers. So what this instance gave back is
subtracted when the event comes again. Another instance that receives the event does not know.
"""

from __future__ import annotations

from collections.abc import Callable

from lymph.events.deliveries import LOSSES
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery
from lymph.events.kombu._rabbitmq.messages import losses_of, subtract_losses

__all__ = ['Returns']

_REMEMBERED = 10_000  # events; another instance may have taken them long ago
_MOST = LOSSES // 2  # in the broker's count; beyond that it would soon be a dead letter


class Returns:
    """Counts, for one queue, how often each event was given back unbegun."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def give_back(self, delivery: AmqpDelivery, step: Callable[[], object] | None = None) -> bool:
        """Give an unbegun event back, by `step` or `delivery.give_back`, and return True.

        Return False, and keep it, when the broker's count is near its limit. Never waits.
        """
        if losses_of(delivery.message) + delivery.returns >= _MOST:
            return False
        self._note(delivery)
        (step or delivery.give_back)()
        return True

    def _note(self, delivery: AmqpDelivery) -> None:
        id = delivery.message.properties.get('message_id')
        if id:
            if len(self._counts) >= _REMEMBERED:
                del self._counts[next(iter(self._counts))]
            self._counts[id] = delivery.returns + 1

    def correct(self, delivery: AmqpDelivery) -> None:
        """Subtract from a delivery's count how often this instance gave the event back."""
        if self._counts:
            returns = self._counts.pop(delivery.message.properties.get('message_id', ''), 0)
            if returns:
                delivery.returns = returns
                subtract_losses(delivery.message, returns)
