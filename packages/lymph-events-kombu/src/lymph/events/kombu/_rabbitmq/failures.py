"""Settle failed events at RabbitMQ: put them into delay queues or among the dead letters.

A copy of the event is published and confirmed before the event is acknowledged. If the process ends
in between, the event exists twice, but it is never lost. An event whose copy cannot be published is
given back.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice

import gevent
from amqp.exceptions import PreconditionFailed

from lymph.config.printable import printable
from lymph.core._system.clocks import SteadyClock
from lymph.core.failures import Killed, error_line
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import LimitedLog, Reminder
from lymph.events.attempts import Attempts
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BrokerError, Unsendable, explain
from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery
from lymph.events.kombu._rabbitmq.delays import coarse
from lymph.events.kombu._rabbitmq.messages import ATTEMPTS, DIED, ERROR, QUEUE, again
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.events.kombu._rabbitmq.topology import Queue, Topology

__all__ = ['Failures']

logger = logging.getLogger(__name__)

_AFTER_ERROR = Backoff(first=0.5, longest=15.0)
_NAMED = 5  # events in one line
_AFTER_FAULT = 1.0  # seconds before an event is given back after an unexpected error


class Failures:
    """Publishes failed events: with a delay through `later`, as dead letters through `now`.

    `timeout` is the time for one publication, in seconds. `reminder` is shared with the connection,
    so that one outage is logged once.

    `retry` and `bury` never wait, because a broker that accepts no events must not occupy workers.
    Both call `done()` when the delivery is settled or given back.
    """

    def __init__(
        self,
        topology: Topology,
        now: Publisher,
        later: Publisher,
        attempts: Attempts,
        timeout: float,
        reminder: Reminder,
    ) -> None:
        self._topology = topology
        self._now = now
        self._later = later
        self._attempts = attempts
        self._timeout = timeout
        self._clock = SteadyClock()
        self._log = LimitedLog(logger)
        self._reminder = reminder

    def close(self) -> None:
        """Log how many lines the limit of the log left out."""
        self._log.close()

    def retry(
        self,
        delivery: AmqpDelivery,
        subscription: Subscription,
        target: Queue,
        number: int,
        delay: float,
        done: Callable[[], object],
    ) -> None:
        """Put an event whose attempt `number` failed into a delay queue of `target`.

        `delay` is in seconds.
        """
        step = partial(self._retry, delivery, target, subscription.temporary, number, delay)
        self._settle(delivery, subscription, step, done)

    def bury(
        self,
        delivery: AmqpDelivery,
        subscription: Subscription,
        number: int,
        error: BaseException,
        done: Callable[[], object],
    ) -> None:
        """Move an event whose attempt `number` failed to the dead letters, with `error`."""
        queue = self._topology.names.queue(subscription.queue_name)
        headers = {
            QUEUE: queue,
            ERROR: error_line(error),
            ATTEMPTS: number,
            DIED: time.time(),
        }
        step = partial(self._bury, delivery, queue, headers)
        self._settle(delivery, subscription, step, done)

    def stopped(
        self, delivery: AmqpDelivery, subscription: Subscription, error: BaseException
    ) -> None:
        """Report an unexpected error, and give the event back after 1 s. Waits."""
        try:
            self._attempts.report_unsettled(subscription, error)
            gevent.sleep(_AFTER_FAULT)
        finally:
            delivery.give_back()

    # Log lines about events that the broker delivers again.

    def taken_back(
        self, queue_name: str, running: Mapping[AmqpDelivery, float], error: Exception
    ) -> None:
        """Log it if the channel ended because handlers exceeded the broker's consumer_timeout.

        `running` has the monotonic time at which each running handler was called. Other errors are
        ignored.
        """
        if isinstance(error, PreconditionFailed) and 'timed out' in explain(error):
            now = time.monotonic()
            events = [
                f'{_named(delivery)}, running for {now - since:.1f} s'
                for delivery, since in islice(running.items(), _NAMED)
            ]
            text = (
                '%s: RabbitMQ has taken back, to deliver again, what was not acknowledged within '
                'its consumer_timeout: %s; raise consumer_timeout (milliseconds, in rabbitmq.conf) '
                'above what the handler takes. It says: %s'
            )
            which = '; '.join(events) or 'events whose handlers had not begun'
            self._log.write(logging.ERROR, queue_name, text, queue_name, which, explain(error))

    def late(self, queue_name: str, delivery: AmqpDelivery, since: float) -> None:
        """Log that an event was handled too late, so that the broker delivers it again.

        `since` is the monotonic time at which the handler was called.
        """
        text = (
            '%s: %s was handled in %.1f s, but its acknowledgement comes too late, over a channel '
            'that was closed meanwhile; it is delivered again'
        )
        took = time.monotonic() - since
        name = _named(delivery)
        self._log.write(logging.WARNING, queue_name, text, queue_name, name, took)

    # The greenlets that settle events.

    def _settle(
        self,
        delivery: AmqpDelivery,
        subscription: Subscription,
        step: Callable[[], object],
        done: Callable[[], object],
    ) -> None:
        def settle() -> None:
            try:
                step()
            except Killed:
                delivery.give_back()
                raise
            except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
                self.stopped(delivery, subscription, error)

        greenlet = Greenlet(settle)
        greenlet.link(lambda _: done())
        greenlet.start()

    def _retry(
        self, delivery: AmqpDelivery, target: Queue, temporary: bool, number: int, delay: float
    ) -> None:
        level = coarse(delay, self._clock.now())
        waiting = self._topology.retry_queue(target.name, temporary, level)
        copy = again(delivery.message, {ATTEMPTS: number}, expiration=str(level.wait))
        self._hand_over(
            delivery,
            self._later,
            partial(Publication, copy, '', waiting.name, mandatory=True),
            first=(declare := partial(waiting.declare, nowait=True)),
            later=declare,
        )

    def _bury(self, delivery: AmqpDelivery, queue: str, headers: dict[str, object]) -> None:
        copy = again(delivery.message, headers)
        self._hand_over(
            delivery,
            self._now,
            partial(Publication, copy, self._topology.names.dead, queue, mandatory=True),
            first=None,
            later=partial(self._topology.declare_dead, nowait=True),  # in case it was deleted
        )

    def _hand_over(
        self,
        delivery: AmqpDelivery,
        publisher: Publisher,
        publication: Callable[..., Publication],
        *,
        first: Callable[[AmqpChannel], object] | None,
        later: Callable[[AmqpChannel], object],
    ) -> None:
        """Publish the copy again until it is confirmed or the broker has taken the event back.

        `first` declares what the first attempt needs, `later` what all others need.
        """
        attempt, declare = 0, first
        while delivery.live:
            try:
                publisher.publish(publication(before=declare), self._timeout)
            except Unsendable:
                raise
            except BrokerError as error:
                attempt, declare = attempt + 1, later
                delay = _AFTER_ERROR.delay(attempt, random.random())
                text = 'cannot pass on a failed event, again in %.1f s: %s'
                due = self._reminder.due(time.monotonic())
                logger.log(logging.WARNING if due else logging.DEBUG, text, delay, error)
                gevent.sleep(delay)
            else:
                delivery.acknowledge()


def _named(delivery: AmqpDelivery) -> str:
    found = delivery.message.properties
    return printable(f'{found.get("type", "?")} (event {found.get("message_id", "?")})')
