"""One subscription: its queue, the channel that consumes it, and its handler's calls.

A greenlet keeps the queue consumed: it declares, binds and consumes on every new connection, and
again when the broker closes the channel or cancels the consumer (its queue was deleted, its node
went down). The broker sends no more ahead than may run; across connections `_limit` holds too, for
a handler that was called before the connection broke may still run when its event comes again.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import gevent
from amqp.exceptions import AccessRefused, NotFound, ResourceLocked
from gevent.event import AsyncResult, Event

from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.core.protocol.redelivery import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu.channels import Channel, Connection
from lymph.events.kombu.errors import BROKEN, BrokerError, explain
from lymph.events.kombu.failures import Failures
from lymph.events.kombu.intake import Intake
from lymph.events.kombu.links import Link
from lymph.events.kombu.messages import attempt_of, event_of
from lymph.events.kombu.sessions import Delivery, Session
from lymph.events.kombu.topology import Topology
from lymph.exceptions import SerializationError, SubscriptionError

__all__ = ['Consumer']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=15.0, jitter=0.5)
_HOPELESS = (BrokerError, AccessRefused, ResourceLocked)  # trying again will not help by itself


class Consumer:
    """Consumes the queue of `subscription`; `finish` is called when it ends by itself."""

    def __init__(
        self,
        subscription: Subscription,
        component: Component,
        link: Link,
        topology: Topology,
        intake: Intake,
        failures: Failures,
        prefetch: int,
        finish: Callable[[Subscription], object],
    ) -> None:
        self.subscription = subscription
        self._component = component
        self._link = link
        self._topology = topology
        self._intake = intake
        self._failures = failures
        self._finish = finish
        self._limit = 1 if subscription.sequential or subscription.once else prefetch
        self._queue = topology.queue(subscription, secrets.token_hex(8))
        self._session: Session | None = None
        self._running = 0
        self._waiting: deque[Delivery] = deque()
        self._paused = False
        self._lost = Event()
        self._trouble = ''
        self._settling = 0
        self.idle = Event()  # no handler runs, no outcome is on its way
        self.idle.set()
        self._first: AsyncResult[Exception | None] = AsyncResult()
        self._keeper: Greenlet | None = None

    def start(self, timeout: float) -> None:
        """Consume; returns when the queue is bound. Raises SubscriptionError."""
        self._keeper = Greenlet.spawn(self._keep)
        self._first.wait(timeout)
        if self._first.ready():
            error = self._first.get()
        else:
            error = BrokerError(f'not within {timeout:g} s: {self._trouble or self._link.trouble}')
        if error is not None:
            self.stop()
            raise SubscriptionError(
                f'{self.subscription.queue_name}: cannot consume from {self._link.broker}: '
                f'{explain(error)}'
            ) from error

    def pause(self) -> None:
        """Have nothing more delivered and give back what has not begun. Never waits."""
        self._paused = True
        if self._session is not None:
            self._session.cancel()
        unbegun = self._intake.withdraw(self)
        self._running -= len(unbegun)
        self._note_idle()
        for delivery in (*unbegun, *self._waiting):
            delivery.give_back()
        self._waiting.clear()

    def stop(self) -> None:
        """Consume no more; a temporary queue is deleted. Handlers that run are settled."""
        self.pause()
        if self._keeper is not None:
            self._keeper.kill()
        session = self._session
        if self.subscription.temporary and session is not None and session.channel.usable:
            # what cannot be deleted now expires
            with suppress(*BROKEN):
                session.channel.queue_delete(self._queue.name)
        self._retire()

    # Keeping the queue consumed.

    def _keep(self) -> None:
        attempt = 0
        while True:
            self._link.up.wait()
            connection = self._link.connection
            self._lost.clear()
            try:
                if connection is not None and not self._paused:
                    self._open(connection)
            except (*BROKEN, BrokerError) as error:
                attempt += 1
                self._open_failed(error, attempt)
            else:
                attempt = 0
                self._first.set(None)
                self._lost.wait()
                self._retire()

    def _retire(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.retire()

    def _open_failed(self, error: Exception, attempt: int) -> None:
        self._retire()
        self._trouble = explain(error)
        if isinstance(error, _HOPELESS) and not self._first.ready():
            self._first.set(error)
        if self.subscription.temporary and isinstance(error, NotFound):
            # it lies on a node that is down
            self._queue = self._topology.queue(self.subscription, secrets.token_hex(8))
        delay = _BACKOFF.delay(attempt, random.random())
        logger.warning(
            '%s: cannot consume, trying again in %.1f s: %s', self._queue.name, delay, self._trouble
        )
        gevent.sleep(delay)

    def _open(self, connection: Connection) -> None:
        channel: Channel = connection.channel()
        tag = f'{self._queue.name[:200]}.{secrets.token_hex(4)}'
        session = self._session = Session(channel, tag)
        channel.on_closed = self._closed
        self._queue.declare(channel)
        for topic in self.subscription.event_types:
            channel.queue_bind(self._queue.name, self._topology.exchange, topic)
        channel.basic_qos(0, self._limit, False)
        # registered before, because deliveries may come before the reply is seen
        deliver = partial(self._deliver, session)
        channel.callbacks[tag] = deliver
        channel.basic_consume(
            self._queue.name, consumer_tag=tag, callback=deliver, on_cancel=self._cancelled
        )

    def _closed(self, error: Exception) -> None:
        logger.info('%s: the channel was closed: %s', self._queue.name, explain(error))
        self._lost.set()

    def _cancelled(self, tag: str) -> None:
        logger.warning('%s: the broker has ended the consumer', self._queue.name)
        self._lost.set()

    # Deliveries.

    def _deliver(self, session: Session, message: Any) -> None:
        delivery = Delivery(session, message)
        if self._paused:
            delivery.give_back()
            return
        self._waiting.append(delivery)
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self._running < self._limit:
            delivery = self._waiting.popleft()
            if delivery.live:
                self._running += 1
                self.idle.clear()
                self._intake.put(self, delivery)

    def handle(self, delivery: Delivery) -> None:
        """Call the handler; its outcome decides what becomes of the event."""
        try:
            if delivery.live:
                self._attempt(delivery)
        except BaseException:
            delivery.give_back()
            raise
        finally:
            self._running -= 1
            self._note_idle()
            self._advance()

    def _attempt(self, delivery: Delivery) -> None:
        subscription = self.subscription
        try:
            event = event_of(delivery.message)
        except SerializationError as error:
            logger.error('%s: not an event, now a dead letter: %s', self._queue.name, error)
            self._settle(self._failures.bury, delivery, subscription.queue_name, error)
            return
        try:
            subscription.handler(event)
        except (Exception, gevent.Timeout) as error:  # noqa: BLE001 - _failed logs it
            self._failed(delivery, error)
        else:
            self._end_once()
            delivery.acknowledge()

    def _failed(self, delivery: Delivery, error: BaseException) -> None:
        subscription = self.subscription
        attempt = attempt_of(delivery.message)
        delay = self._failures.delay(delivery, subscription.retry)
        fate = 'now a dead letter' if delay is None else f'trying again in {delay:.1f} s'
        logger.error(
            '%s: the handler failed in attempt %d, %s',
            self._queue.name,
            attempt,
            fate,
            exc_info=error,
        )
        self._component.error_hook(
            error, component=self._component, function=subscription.handler, attempt=attempt
        )
        if delay is None:
            self._end_once()
            self._settle(self._failures.bury, delivery, subscription.queue_name, error)
        else:
            temporary = subscription.temporary
            self._settle(self._failures.retry, delivery, self._queue, temporary, delay)

    def _settle(self, settle: Callable[..., object], *args: Any) -> None:
        """Settle in a greenlet of its own: a broker that takes no events must not hold workers."""
        self._settling += 1
        Greenlet.spawn(settle, *args).link(self._settled)

    def _settled(self, greenlet: Greenlet) -> None:
        self._settling -= 1
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._running and not self._settling:
            self.idle.set()

    def _end_once(self) -> None:
        if self.subscription.once and not self._paused:
            self.pause()
            self._component.spawn(self._finish, self.subscription)
