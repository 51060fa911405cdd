"""Keeps one queue consumed, whatever becomes of connections, channels and nodes.

A greenlet declares the queue, binds and consumes it: on every new connection, and again when the
broker closes the channel or ends the consumer (the queue was deleted, its node went down).
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable
from contextlib import suppress

import gevent
from amqp.exceptions import AccessRefused, NotFound
from gevent.event import AsyncResult, Event

from lymph.core.failures import log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.protocol.redelivery import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu.channels import Channel, Connection
from lymph.events.kombu.errors import BROKEN, BrokerError, explain
from lymph.events.kombu.links import Link
from lymph.events.kombu.loops import go_on
from lymph.events.kombu.sessions import Delivery, Session
from lymph.events.kombu.topology import Queue, Topology
from lymph.exceptions import SubscriptionError

__all__ = ['Keeper']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_HOPELESS = (BrokerError, AccessRefused)  # trying again will not help by itself


class Keeper:
    """Keeps the queue of `subscription` consumed; `deliver` gets what comes and never waits.

    Up to `width` events are sent ahead after `widen`, else one.
    """

    def __init__(
        self,
        subscription: Subscription,
        link: Link,
        topology: Topology,
        width: int,
        deliver: Callable[[Delivery], object],
    ) -> None:
        self._subscription = subscription
        self._link = link
        self._topology = topology
        self._width = width
        self._deliver = deliver
        self.queue = self._named()
        self._session: Session | None = None
        self._paused = False
        self._wake = Event()
        self._lost = False
        self._wide = False
        self._trouble = ''
        self._first: AsyncResult[Exception | None] = AsyncResult()
        self._greenlet: Greenlet | None = None

    def start(self, timeout: float) -> None:
        """Consume; returns when the queue is bound. Raises SubscriptionError."""
        self._greenlet = Greenlet.spawn(go_on, logger, self.queue.name, self._keep)
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

    def widen(self) -> None:
        """Have as many events sent ahead as may run. Never waits."""
        if not self._wide and self._width > 1:
            self._wide = True
            self._wake.set()

    def narrow(self) -> None:
        """Have one event sent at a time. Never waits."""
        self._wide = False
        if self._session is not None:
            self._session.narrow()

    def pause(self) -> None:
        """Have nothing more delivered. Never waits."""
        self._paused = True
        if self._session is not None:
            self._session.cancel()

    def hold(self) -> None:
        """Go on as long as this session lasts, and consume no more after it. Never waits."""
        self._paused = True

    def cancel(self) -> None:
        """Have nothing more sent over this session. Never waits."""
        if self._session is not None:
            self._session.cancel()

    def leave(self) -> None:
        """Consume no more; what was delivered and not settled goes back to its place."""
        self._paused = True
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
        session, self._session = self._session, None
        if session is not None:
            session.abandon()

    def stop(self) -> None:
        """Consume no more; a temporary queue is deleted. What was delivered can be settled."""
        self.pause()
        if self._greenlet is not None:
            self._greenlet.kill()
        session, answered = self._session, self._first.ready()
        if self._subscription.temporary and answered and session and session.channel.usable:
            # what cannot be deleted now expires
            with suppress(*BROKEN):
                session.channel.queue_delete(self.queue.name)
        self._retire()

    def _keep(self) -> None:
        attempt = 0
        while True:
            self._link.up.wait()
            connection = self._link.connection
            self._lost = self._wide = False
            try:
                if connection is not None and not self._paused:
                    self._open(connection)
                self._first.set(None)
                attempt = 0
                self._attend()
            except Exception as error:  # noqa: BLE001 - _failed logs it
                attempt += 1
                self._failed(error)
            self._retire()
            gevent.sleep(_BACKOFF.delay(max(attempt, 1), random.random()))

    def _open(self, connection: Connection) -> None:
        channel: Channel = connection.channel()
        session = Session(channel, self.queue.name, self._deliver, self._cancelled)
        self._session = session
        channel.on_closed = self._closed
        self._topology.declare_queue(channel, self.queue, self._subscription.event_types)
        session.consume()

    def _attend(self) -> None:
        """Do what has to wait for replies, until the session is lost."""
        while not self._lost:
            if self._wide and not self._paused and self._session is not None:
                self._session.widen(self._width)
            self._wake.wait()
            self._wake.clear()

    def _retire(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.retire()

    def _failed(self, error: Exception) -> None:
        self._trouble = explain(error)
        if isinstance(error, _HOPELESS) and not self._first.ready():
            self._first.set(error)
        text = '%s: cannot consume, trying again: %s'
        if isinstance(error, (*BROKEN, BrokerError)):
            logger.warning(text, self.queue.name, self._trouble)
        else:
            if self._session is not None:
                self._session.channel.fail(error)
            log_failure(logger, error, text, self.queue.name, self._trouble)
        if self._subscription.temporary and isinstance(error, NotFound):
            # it lies on a node that is down
            self.queue = self._named()

    def _named(self) -> Queue:
        return self._topology.queue(self._subscription, secrets.token_hex(8))

    def _closed(self, error: Exception) -> None:
        logger.info('%s: the channel was closed: %s', self.queue.name, explain(error))
        self._end()

    def _cancelled(self) -> None:
        logger.warning('%s: the broker has ended the consumer', self.queue.name)
        self._end()

    def _end(self) -> None:
        self._lost = True
        self._wake.set()
