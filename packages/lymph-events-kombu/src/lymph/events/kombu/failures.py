"""What becomes of an event that was not handled: again after a delay, or the dead letters.

Either way it is published first, confirmed, and acknowledged then: whoever dies in between leaves
it twice, never lost.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from functools import partial

import gevent

from lymph.core.protocol.redelivery import Backoff, after_failure
from lymph.events.kombu.delays import coarse
from lymph.events.kombu.errors import BrokerError
from lymph.events.kombu.messages import (
    ATTEMPTS,
    DIED,
    ERROR,
    FAILURES,
    QUEUE,
    again,
    attempt_of,
    failures_of,
)
from lymph.events.kombu.publications import Publication
from lymph.events.kombu.publisher import Publisher
from lymph.events.kombu.sessions import Delivery
from lymph.events.kombu.topology import Queue, Topology
from lymph.exceptions import EventRejected

__all__ = ['Failures']

logger = logging.getLogger(__name__)

_ERROR_LENGTH = 2000  # characters; all headers have to fit into one frame
_AFTER_ERROR = Backoff(first=0.5, longest=15.0)


class Failures:
    """Sends failed events on; `now` and `later` publish without and with a delay."""

    def __init__(
        self,
        topology: Topology,
        now: Publisher,
        later: Publisher,
        backoff: Backoff,
        timeout: float,
    ) -> None:
        self._topology = topology
        self._now = now
        self._later = later
        self._backoff = backoff
        self._timeout = timeout

    def delay(self, delivery: Delivery, retry: int, error: BaseException) -> float | None:
        """Return after how many seconds it is tried again; None: it becomes a dead letter."""
        if isinstance(error, EventRejected):
            return None
        failed = failures_of(delivery.message) + 1
        return after_failure(failed, retry, random.random(), self._backoff)

    def retry(self, delivery: Delivery, target: Queue, temporary: bool, delay: float) -> None:
        """Put the event into a delay queue of `target` and acknowledge it. Waits."""
        message = delivery.message
        level = coarse(delay, time.time())
        waiting = self._topology.retry_queue(target.name, temporary, level)
        headers = {ATTEMPTS: attempt_of(message), FAILURES: failures_of(message) + 1}
        copy = again(message, headers, expiration=str(level.wait))
        self._hand_over(
            delivery,
            self._later,
            partial(
                Publication,
                copy,
                '',
                waiting.name,
                mandatory=True,
                before=partial(waiting.declare, nowait=True),
            ),
        )

    def bury(
        self,
        delivery: Delivery,
        queue_name: str,
        error: BaseException,
        attempts: int | None = None,
    ) -> None:
        """Put the event among the dead letters and acknowledge it. Waits.

        `attempts` were made, unless given as many as its deliveries.
        """
        headers = {
            QUEUE: queue_name,
            ERROR: _one_line(error),
            ATTEMPTS: attempt_of(delivery.message) if attempts is None else attempts,
            DIED: time.time(),
        }
        copy = again(delivery.message, headers)
        self._hand_over(
            delivery,
            self._now,
            partial(Publication, copy, self._topology.dead, queue_name, mandatory=True),
        )

    def _hand_over(
        self, delivery: Delivery, publisher: Publisher, publication: Callable[[], Publication]
    ) -> None:
        """Publish until that is confirmed or the broker has taken the delivery back."""
        attempt = 0
        while delivery.live:
            try:
                publisher.publish(publication(), self._timeout)
            except BrokerError as error:
                attempt += 1
                delay = _AFTER_ERROR.delay(attempt, random.random())
                logger.warning('cannot pass on a failed event, again in %.1f s: %s', delay, error)
                gevent.sleep(delay)
            else:
                delivery.acknowledge()


def _one_line(error: BaseException) -> str:
    text = ' '.join(str(error).split())
    name = type(error).__name__
    return (f'{name}: {text}' if text else name)[:_ERROR_LENGTH]
