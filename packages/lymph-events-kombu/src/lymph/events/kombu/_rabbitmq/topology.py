"""The exchanges and queues at the broker: their names, their arguments, and how they are declared.

`names` lists what they are called; with the default `exchange` (N: the queue name of a
subscription):

====================  ==============================================================================
lymph.events          topic exchange; emitted events
N                     queue of a durable subscription, bound to lymph.events by its topics
N.TOKEN               queue of a temporary subscription
lymph.dead            topic exchange and queue; dead letters, with the name of their queue as key
N.retry.MS.SLOT       queue where failed events of N wait; dead-letters to N (see `delays`)
lymph.delay           headers exchange; delayed events
lymph.delay.MS.SLOT   queue where delayed events wait; dead-letters to lymph.delayed or lymph.events
lymph.delayed         topic exchange; passes on to lymph.events, and to the queue of that name,
                      which drops what it gets
lymph.queues          queue of one message, the record of all queues (see `records`)
====================  ==============================================================================

Quorum queues pass dead letters on at least once: they keep each one until every target queue has
confirmed it. So each one has to be routed to a queue. A delayed event without subscribers would be
routed to none, so `lymph.delayed` has a queue of its own. Classic queues pass dead letters on at
most once: those under way when the broker is killed may be lost.

A temporary queue is not exclusive, so that it still collects events while its instance reconnects.
It is deleted with its subscription, or 5 minutes after its last consumer is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import NotFound, PreconditionFailed, ResourceLocked

from lymph.events.base import Subscription
from lymph.events.deliveries import LOSSES
from lymph.events.kombu._connecting.errors import BrokerError, explain
from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.delays import Level
from lymph.events.kombu._rabbitmq.mismatches import advice
from lymph.events.kombu._rabbitmq.names import Names

__all__ = ['Queue', 'Topology']

_TEMPORARY_EXPIRES = 300_000  # ms without a consumer
_MATCH = 'lymph-delay'  # the header that picks a delay queue
_UNLIMITED = 1_000_000_000  # RabbitMQ 4 has a limit by default, RabbitMQ 3 has no other way
_AT_LEAST_ONCE = {
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',  # the strategy requires it, although the queues have no limit
}


@dataclass(frozen=True)
class Queue:
    """A durable queue: its name at the broker and the arguments of its declaration."""

    name: str
    arguments: dict[str, Any]

    def declare(self, channel: AmqpChannel, nowait: bool = False) -> None:
        """Declare the queue; raises BrokerError if one of that name has other arguments.

        With `nowait` the broker does not answer; an error then closes the channel later.
        """
        try:
            channel.queue_declare(
                self.name,
                durable=True,
                auto_delete=False,
                nowait=nowait,
                arguments=self.arguments,
            )
        except (PreconditionFailed, ResourceLocked) as error:
            text = str(error.reply_text)
            raise BrokerError(
                f'expected the queue {self.name!r} as lymph declares it, found one with other '
                f'arguments: {explain(error)}; {advice(self.name, self.type, text)}'
            ) from error

    @property
    def temporary(self) -> bool:
        """Whether the broker deletes it when it is not used."""
        return 'x-expires' in self.arguments

    @property
    def type(self) -> str:
        """The type of the queue, `quorum` or `classic`."""
        return str(self.arguments['x-queue-type'])


class Topology:
    """The exchanges and queues for one name of an exchange and one type of queues.

    The attribute `declared` is a callback for each declared queue of a subscription; it must not
    wait.
    """

    def __init__(self, exchange: str, queue_type: str) -> None:
        self.declared: Callable[[Queue], object] = bool
        self.names = Names(exchange)
        self._queue_type = queue_type
        self._quorum = queue_type == 'quorum'

    def declare_exchanges(self, channel: AmqpChannel) -> None:
        """Declare the exchange of events, and the exchange and queue of dead letters.

        Raises BrokerError if an exchange or queue of that name has other arguments.
        """
        self._exchange(channel, self.names.events, 'topic')
        self.declare_dead(channel)

    def declare_dead(self, channel: AmqpChannel, nowait: bool = False) -> None:
        """Declare the exchange and queue of dead letters; raises as `declare_exchanges` does."""
        self._exchange(channel, self.names.dead, 'topic', nowait)
        self.dead_letter_queue.declare(channel, nowait)
        channel.queue_bind(self.names.dead, self.names.dead, '#', nowait=nowait)

    def declare_delay(self, channel: AmqpChannel) -> None:
        """Declare what delayed events need, except for the queues in which they wait.

        Raises BrokerError if an exchange or queue of that name has other arguments.
        """
        self._exchange(channel, self.names.delay, 'headers')
        if self._quorum:
            self._exchange(channel, self.names.delayed, 'topic')
            self._queue(self.names.delayed, {'x-message-ttl': 0}).declare(channel)
            channel.queue_bind(self.names.delayed, self.names.delayed, '#')
            channel.exchange_bind(self.names.events, self.names.delayed, '#')

    @property
    def dead_letter_queue(self) -> Queue:
        """The queue of all dead letters; it has no delivery limit, so browsing it is harmless."""
        return self._held_queue(self.names.dead)

    @property
    def record_queue(self) -> Queue:
        """The queue of the record; it has no delivery limit, so a reader may die at any time."""
        return self._held_queue(self.names.records)

    def _held_queue(self, name: str) -> Queue:
        return self._queue(name, {'x-delivery-limit': _UNLIMITED} if self._quorum else {})

    def queue(self, subscription: Subscription, token: str) -> Queue:
        """Return the queue of a subscription.

        `token` makes the name of a temporary queue unique to an instance.
        """
        if subscription.temporary:
            return Queue(
                self.names.queue(subscription.queue_name, token),
                {'x-queue-type': 'classic', 'x-expires': _TEMPORARY_EXPIRES},
            )
        return self.durable_queue(self.names.queue(subscription.queue_name), subscription.exclusive)

    def durable_queue(self, name: str, exclusive: bool) -> Queue:
        """Return the queue of a durable subscription; `name` is its name at the broker."""
        arguments: dict[str, Any] = {
            'x-dead-letter-exchange': self.names.dead,
            'x-dead-letter-routing-key': name,
        }
        if self._quorum:
            arguments |= {'x-delivery-limit': LOSSES, **_AT_LEAST_ONCE}
        if exclusive:
            arguments['x-single-active-consumer'] = True
        return self._queue(name, arguments)

    def has_queue(self, channel: AmqpChannel, name: str) -> bool:
        """Return whether a subscription's queue exists; if not, the broker closes the channel."""
        try:
            channel.queue_declare(self.names.queue(name), passive=True)
        except NotFound:
            return False
        return True

    def declare_queue(self, channel: AmqpChannel, queue: Queue, topics: Iterable[str]) -> None:
        """Declare a queue and bind it to `topics`; raises BrokerError as `Queue.declare` does."""
        queue.declare(channel)
        self.bind(channel, queue, topics)

    def bind(self, channel: AmqpChannel, queue: Queue, topics: Iterable[str]) -> None:
        """Bind a queue to `topics`; raises NotFound if the queue or the exchange does not exist."""
        for topic in topics:
            channel.queue_bind(queue.name, self.names.events, topic)
        self.declared(queue)

    def retry_queue(self, target: str, temporary: bool, level: Level) -> Queue:
        """Return the queue in which failed events wait before they go back to `target`."""
        name = self.names.retry(target, level)
        arguments = {'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': target}
        if temporary:
            # events for a temporary queue need not survive it
            return Queue(name, {'x-queue-type': 'classic', **_waiting(level), **arguments})
        return self._queue(name, {**self._waiting(level), **arguments})

    def delay_queue(self, level: Level) -> Queue:
        """Return the queue in which delayed events wait."""
        target = self.names.delayed if self._quorum else self.names.events
        arguments = {**self._waiting(level), 'x-dead-letter-exchange': target}
        return self._queue(self.names.waiting(level), arguments)

    def delay_match(self, level: Level) -> dict[str, Any]:
        """Return the headers that route an event to the delay queue of a level."""
        return {_MATCH: level.suffix}

    def bind_delay(self, channel: AmqpChannel, level: Level, nowait: bool = False) -> None:
        """Bind the delay queue of a level; with `nowait` the broker does not answer."""
        match = {'x-match': 'all', **self.delay_match(level)}
        channel.queue_bind(
            self.names.waiting(level), self.names.delay, nowait=nowait, arguments=match
        )

    def _waiting(self, level: Level) -> dict[str, Any]:
        return {**_waiting(level), **(_AT_LEAST_ONCE if self._quorum else {})}

    def _queue(self, name: str, arguments: dict[str, Any]) -> Queue:
        return Queue(name, {'x-queue-type': self._queue_type, **arguments})

    def _exchange(self, channel: AmqpChannel, name: str, kind: str, nowait: bool = False) -> None:
        try:
            channel.exchange_declare(name, kind, durable=True, auto_delete=False, nowait=nowait)
        except PreconditionFailed as error:
            raise BrokerError(
                f'expected the exchange {name!r} as lymph declares it, found another one: '
                f'{explain(error)}; choose another name for container.events.exchange'
            ) from error


def _waiting(level: Level) -> dict[str, Any]:
    return {'x-message-ttl': level.ttl, 'x-expires': level.expires}
