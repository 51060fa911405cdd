"""Open a connection to RabbitMQ that serves a single check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lymph.core.diagnosis import NotChecked, Surroundings
from lymph.events.kombu._rabbitmq.channels import AmqpConnection
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.system import RabbitmqEventSystem

__all__ = ['open_link', 'rabbitmq']

_CLOSE_TIMEOUT = 0.5  # seconds; RabbitMQ does not read from a connection that it blocks


def rabbitmq(around: Surroundings) -> RabbitmqEventSystem:
    """Return the event system in use; raises NotChecked if it is not RabbitMQ's."""
    events = around.events
    if not isinstance(events, RabbitmqEventSystem):
        raise NotChecked('the events do not go through RabbitMQ')
    return events


@contextmanager
def open_link(events: RabbitmqEventSystem, purpose: str) -> Iterator[RabbitmqLink]:
    """Connect for the duration of a `with` block; `purpose` names the connection in the log.

    Raises BrokerError when no address accepts the connection.
    """
    link = RabbitmqLink(purpose, events.settings.brokers, _nothing)
    link.start()
    try:
        yield link
    finally:
        link.stop(_CLOSE_TIMEOUT)


def _nothing(connection: AmqpConnection) -> None:
    pass
