"""Declare queues and exchanges again that were deleted at the broker while instances run.

The broker notifies a consumer when its queue is gone (see `queue_consumer`), and a publisher when
its exchange is gone. It notifies nobody when a queue loses its bindings together with the exchange,
or when the queues and exchanges of dead letters and delayed events are deleted. So everything is
declared again about every 30 s, and at once when a publisher finds its exchange gone. Declaring
what exists changes nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable

import gevent
from amqp.exceptions import NotFound

from lymph.core.greenlets import Greenlet
from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.loops import go_on
from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.topology import Queue, Topology

__all__ = ['Upkeep']

logger = logging.getLogger(__name__)

_INTERVAL = 30.0  # seconds, jittered by up to a fifth


class Upkeep:
    """Declares the exchanges, and the queues that `queues()` yields with their subscriptions."""

    def __init__(
        self,
        link: RabbitmqLink,
        topology: Topology,
        queues: Callable[[], Iterable[tuple[Queue, Subscription]]],
    ) -> None:
        self._link = link
        self._topology = topology
        self._queues = queues
        self._greenlet: Greenlet | None = None

    def start(self) -> None:
        """Start to declare periodically, in a greenlet of its own."""
        self._greenlet = Greenlet.spawn(go_on, logger, 'declaring again', self._tend)

    def stop(self) -> None:
        """Stop declaring. Never waits."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    def restore(self) -> None:
        """Declare everything now. Waits for the broker; failures are repeated next time."""
        self._try(self._report)
        self._try(self._topology.declare_exchanges)
        self._try(self._topology.declare_delay)
        for queue, subscription in tuple(self._queues()):
            topics = subscription.event_types
            if subscription.temporary:
                self._try(queue.declare)  # counts as use: it would expire while it is parked
            if not self._try(self._topology.bind, queue, topics):
                self._try(self._topology.declare_queue, queue, topics)

    def _tend(self) -> None:
        gevent.sleep(_INTERVAL * random.uniform(0.8, 1.2))
        if self._link.connection is not None:
            self.restore()

    def _report(self, channel: AmqpChannel) -> None:
        try:
            channel.exchange_declare(self._topology.names.events, 'topic', passive=True)
        except NotFound:
            logger.error(
                'the exchange %r was deleted; it is declared again now, and within %.0f s all '
                'instances bind their queues; events emitted meanwhile may have reached none',
                self._topology.names.events,
                _INTERVAL * 1.2,
            )

    def _try(self, step: Callable[..., object], *args: object) -> bool:
        """Call `step` with a channel of its own; return False if it raised BrokerError."""
        try:
            with self._link.channel() as channel:
                step(channel, *args)
        except BrokerError as error:
            logger.debug('cannot declare again: %s', error)
            return False
        return True
