"""Keeps one queue consumed, whatever becomes of connections, channels and nodes.

A greenlet declares the queue, binds and consumes it: on every new connection, and again when the
broker closes the channel or ends the consumer (the queue was deleted, its node went down).
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
from lymph.events.kombu._rabbitmq.channels import Channel, Connection
from lymph.events.kombu._rabbitmq.links import Link
from lymph.events.kombu._rabbitmq.sessions import Delivery, Session
from lymph.events.kombu._rabbitmq.topology import Queue, Topology
from lymph.exceptions import SubscriptionError

__all__ = ['Keeper']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_HOPELESS = (BrokerError, AccessRefused)  # trying again will not help by itself


class Keeper:
    """Keeps the queue of `subscription` consumed; `deliver` gets what comes and never waits.

    Up to the width given to `widen` events are sent ahead, else one, and none while it is parked.
    `renew` is called before a session begins: what was delivered before no longer counts as sent
    ahead. `closed` is called with the error when a channel ends by itself. Neither waits. `queue`
    is a temporary one that was declared before; a durable one has its name from the subscription.
    """

    def __init__(
        self,
        subscription: Subscription,
        link: Link,
        topology: Topology,
        deliver: Callable[[Delivery], object],
        renew: Callable[[], object],
        closed: Callable[[Exception], object],
        queue: Queue | None = None,
    ) -> None:
        self._subscription = subscription
        self._link = link
        self._topology = topology
        self._deliver = deliver
        self._renew = renew
        self._on_closed = closed
        self.queue = queue or self._named()
        self._session: Session | None = None
        self._paused = False
        self._parked = False
        self._wake = Event()
        self._lost = False
        self._ready = False  # the session may be used by others than this greenlet
        self._width = 1
        self._trouble = ''
        self._failures = 0  # in a row
        self._reminder = Reminder()
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

    def widen(self, width: int) -> None:
        """Have up to `width` events sent ahead, or more if that was asked for. Never waits."""
        if width > self._width:
            self._width = width
            self._wake.set()

    @property
    def wide(self) -> bool:
        """Whether more than one event is sent ahead."""
        return self._width > 1

    def narrow(self) -> None:
        """Have one event sent at a time. Never waits."""
        self._width = 1
        if self._session is not None:
            self._session.narrow()

    def park(self) -> None:
        """Have events sent only for `fetch` and `begin_fetching`, until `resume`. Never waits."""
        self._parked = True
        self._width = 1
        self.cancel()

    def resume(self) -> None:
        """Have events sent again; what is out does not count as sent ahead. Never waits."""
        self._parked = False
        self._wake.set()

    def fetch(self) -> Delivery | None:
        """Take an event out of the queue, if it has one. Waits; one greenlet at a time."""
        session = self._usable()
        if session is None:
            return None
        try:
            return session.fetch()
        except (*BROKEN, AttributeError):  # py-amqp forgets the connection of a closed channel
            return None

    def begin_fetching(self) -> bool:
        """Have one event sent if the queue has one, also to its single active consumer. Waits."""
        session = self._usable()
        try:
            if session is None or session.consuming or not session.waiting():
                return False
            session.consume()
        except (*BROKEN, AttributeError):
            return False
        return True

    def pause(self) -> None:
        """Have nothing more delivered. Never waits."""
        self._paused = True
        if self._session is not None:
            self._session.cancel()

    def reopen(self) -> None:
        """Put back to its place what was delivered and not settled, and go on over a new channel.

        Never waits.
        """
        session, self._session = self._session, None
        if session is not None:
            session.abandon()
            self._end()

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
        if not self._first.ready():
            self._first.set(BrokerError('the subscription was ended meanwhile'))
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
        while True:
            self._link.up.wait()
            connection = self._link.connection
            if connection is None:
                continue  # it was lost between the signal and this turn
            self._lost = self._ready = False
            self._width = 1
            try:
                if not self._paused:
                    self._open(connection)
                self._attend()
            except Exception as error:  # noqa: BLE001 - _failed logs it
                self._failures += 1
                self._failed(error)
            self._retire()
            gevent.sleep(_BACKOFF.delay(max(self._failures, 1), random.random()))

    def _open(self, connection: Connection) -> None:
        self._renew()
        channel: Channel = connection.channel()
        session = Session(channel, self.queue.name, self._deliver, self._cancelled)
        self._session = session
        channel.on_closed = self._closed
        self._topology.declare_queue(channel, self.queue, self._subscription.event_types)
        self._ready = True

    def _attend(self) -> None:
        """Do what has to wait for replies, until the session is lost."""
        while not self._lost:
            session = self._session
            if session is not None and not self._paused and not self._parked:
                if not session.consuming:
                    session.consume()
                if self._width > 1:
                    session.widen(self._width)
            self._first.set(None)
            self._failures = 0
            self._wake.wait()
            self._wake.clear()

    def _usable(self) -> Session | None:
        ready = self._ready and self._parked and not self._paused
        return self._session if ready else None

    def _retire(self) -> None:
        self._ready = False
        session, self._session = self._session, None
        if session is not None:
            session.retire()

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
        self._on_closed(error)
        self._end()

    def _cancelled(self) -> None:
        logger.warning('%s: the broker has ended the consumer', self.queue.name)
        self._end()

    def _end(self) -> None:
        self._lost = True
        self._wake.set()
