"""Consume one queue across lost connections, closed channels and failed nodes.

A greenlet declares the queue, binds and consumes it: on every new connection, and again when the
broker closes the channel or ends the consumer (the queue was deleted, its node went down).

These are all its commands. `flow` sets a lasting state, the others are single actions:

==========  ======================================================================================
start       begin; returns when the queue is bound
flow        set how many events the broker may send ahead (0: none); see `flow`
fetch       take one event out of the queue, while the flow is 0
poll        let the broker send one event, while the flow is 0; for queues with a single active
            consumer, which reject `basic.get`
put_back    return unsettled events to their places in the queue, and go on over a new channel
leave       return unsettled events to their places in the queue, and end
stop        end; unsettled events can still be settled; a temporary queue is deleted
==========  ======================================================================================
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

import gevent
from amqp.exceptions import AccessRefused, NotFound
from gevent.event import AsyncResult, Event

from lymph.core.failures import log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, explain
from lymph.events.kombu._connecting.loops import go_on
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery, ConsumingChannel
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.topology import Queue, Topology
from lymph.exceptions import SubscriptionError

__all__ = ['QueueConsumer']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_HOPELESS = (BrokerError, AccessRefused)  # another attempt would fail in the same way


class QueueConsumer:
    """Consumes the queue of `subscription`; `queue` is its temporary queue, if it exists already.

    It has three callbacks, which must not wait. `deliver(delivery)` is called for each event.
    `opened()` is called for each new channel, and returns the flow to begin with. `closed(error)`
    is called when the broker or a lost connection ends a channel.
    """

    def __init__(
        self,
        subscription: Subscription,
        link: RabbitmqLink,
        topology: Topology,
        deliver: Callable[[AmqpDelivery], object],
        opened: Callable[[], int],
        closed: Callable[[Exception], object],
        queue: Queue | None = None,
    ) -> None:
        self._subscription = subscription
        self._link = link
        self._topology = topology
        self._deliver = deliver
        self._opened = opened
        self._on_closed = closed
        self.queue = queue or self._named()
        self._width = 0  # the wanted flow; the channel follows
        self._channel: ConsumingChannel | None = None
        self._declared = False  # whether the queue is declared over this channel
        self._wake = Event()
        self._lost = False
        self._trouble = ''
        self._failures = 0  # number of failures in a row
        self._reminder = Reminder()
        self._first: AsyncResult[Exception | None] = AsyncResult()
        self._greenlet: Greenlet | None = None

    def start(self, timeout: float) -> None:
        """Start to consume; return when the queue is bound.

        Raises SubscriptionError when this takes more than `timeout` seconds, and at once when the
        queue exists with other arguments or the user lacks a permission.
        """
        self._greenlet = Greenlet.spawn(go_on, logger, self.queue.name, self._run)
        self._first.wait(timeout)
        if self._first.ready():
            error = self._first.get()
        else:
            error = BrokerError(f'not within {timeout:g} s: {self._trouble or self._link.trouble}')
        if error is not None:
            self.stop()
            raise SubscriptionError(
                f'{self._subscription.queue_name}: cannot consume from {self._link.broker}: '
                f'{explain(error)}'
            ) from error

    def flow(self, width: int) -> None:
        """Let the broker send up to `width` events ahead from now on; 0: none. Never waits.

        A smaller width takes effect at once. A larger one is set by the greenlet, which waits for
        the broker's replies.
        """
        more = width > self._width
        self._width = width
        if more:
            self._wake.set()
        elif self._channel is not None:
            self._channel.lower(width)

    def fetch(self) -> AmqpDelivery | None:
        """Take one event out of the queue; return None if it is empty or cannot be asked.

        Waits for the broker; only one greenlet may call this at a time.
        """
        channel = self._idle_channel()
        if channel is None:
            return None
        try:
            return channel.fetch()
        except (*BROKEN, AttributeError):  # py-amqp forgets the connection of a closed channel
            return None

    def poll(self) -> bool:
        """Let the broker send one event if the queue has one; return whether it has. Waits.

        After this, the broker sends one event at a time until `flow(0)`.
        """
        channel = self._idle_channel()
        try:
            if channel is None or channel.consuming or not channel.waiting():
                return False
            channel.widen(1)
        except (*BROKEN, AttributeError):
            return False
        return True

    def put_back(self) -> None:
        """Return unsettled events to their places, and go on over a new channel. Never waits."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
            self._lose_channel()

    def leave(self) -> None:
        """Return unsettled events to their places, and stop consuming. Never waits."""
        self._width = 0
        if not self._first.ready():
            self._first.set(BrokerError('the subscription was ended meanwhile'))
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def stop(self) -> None:
        """Stop consuming and delete a temporary queue. Waits for the broker.

        Deliveries that are not settled yet can still be settled.
        """
        self.flow(0)
        if self._greenlet is not None:
            self._greenlet.kill()
        channel, answered = self._channel, self._first.ready()
        if self._subscription.temporary and answered and channel and channel.channel.usable:
            # a temporary queue that cannot be deleted now expires later
            with suppress(*BROKEN):
                channel.channel.queue_delete(self.queue.name)
        self._drop_channel()

    def _run(self) -> None:
        while True:
            self._link.up.wait()
            connection = self._link.connection
            if connection is None:
                continue  # the connection was lost before this greenlet ran
            self._lost = self._declared = False
            try:
                self._open(connection)
                self._follow()
            except Exception as error:  # noqa: BLE001 - _failed logs it
                self._failures += 1
                self._failed(error)
            self._drop_channel()
            gevent.sleep(_BACKOFF.delay(max(self._failures, 1), random.random()))

    def _open(self, connection: AmqpConnection) -> None:
        self._width = self._opened()
        channel: AmqpChannel = connection.channel()
        self._channel = ConsumingChannel(channel, self.queue.name, self._deliver, self._cancelled)
        channel.on_closed = self._closed
        self._topology.declare_queue(channel, self.queue, self._subscription.event_types)
        self._declared = True

    def _follow(self) -> None:
        """Widen the channel to the wanted flow until the channel is lost."""
        while not self._lost:
            if self._channel is not None:
                self._channel.widen(self._width)
            self._first.set(None)
            self._failures = 0
            self._wake.wait()
            self._wake.clear()

    def _idle_channel(self) -> ConsumingChannel | None:
        return self._channel if self._declared and self._width == 0 else None

    def _drop_channel(self) -> None:
        self._declared = False
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close_when_settled()

    def _failed(self, error: Exception) -> None:
        self._trouble = explain(error)
        if isinstance(error, _HOPELESS) and not self._first.ready():
            self._first.set(error)
        text = '%s: cannot consume, trying again: %s'
        if isinstance(error, (*BROKEN, BrokerError)):
            due = self._link.up.is_set() and self._reminder.due(time.monotonic())
            level = logging.WARNING if due else logging.DEBUG
            logger.log(level, text, self.queue.name, self._trouble)
        else:
            if self._channel is not None:
                self._channel.channel.fail(error)
            log_failure(logger, error, text, self.queue.name, self._trouble)
        if self._subscription.temporary and isinstance(error, NotFound):
            # the queue is on a node that is down
            self.queue = self._named()

    def _named(self) -> Queue:
        return self._topology.queue(self._subscription, secrets.token_hex(8))

    def _closed(self, error: Exception) -> None:
        logger.info('%s: the channel was closed: %s', self.queue.name, explain(error))
        self._on_closed(error)
        self._lose_channel()

    def _cancelled(self) -> None:
        logger.warning('%s: the broker has ended the consumer', self.queue.name)
        self._lose_channel()

    def _lose_channel(self) -> None:
        self._lost = True
        self._wake.set()
