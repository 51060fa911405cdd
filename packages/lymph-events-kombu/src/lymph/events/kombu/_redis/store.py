"""The events that one instance leases from Redis, and their outcomes.

In Redis the instance is an owner that sends a sign of life at intervals. If it sends none for
`lifetime` seconds, the next instance that checks returns its events to their queues and deletes its
temporary queues. An answer may be lost with its connection, so each connection begins an epoch:

- With a new connection, the instance lists the events that it holds. Its other events go back to
  their queues: they were leased by a command whose answer was lost.
- A lease command of an earlier epoch that arrives late leases nothing.
- Outcomes are sent again until they are answered. The second time they change nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count
from typing import Any

import gevent

from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.loops import go_on
from lymph.events.kombu._redis.links import RedisLink
from lymph.events.kombu._redis.pipes import Lost, Pipe
from lymph.events.leases import Delivery, Demand, Leased

__all__ = ['RedisStore']

logger = logging.getLogger(__name__)

_LOOKS = 3  # signs of life per lifetime
_TIMEOUT = 30.0  # seconds for an answer
_BYTES = 2**20  # of events in one lease; a larger event is leased alone


class RedisStore:
    """Leases and settles events as one owner.

    ===========  ===============================================================================
    `component`  spawns the greenlet that sends the signs of life
    `link`       the connection to Redis
    `lifetime`   seconds without a sign of life after which the owner counts as dead
    `keep_up()`  is called after each sign of life and must not wait
    ===========  ===============================================================================

    It implements `lymph.events.leases.Store`: only `lease`, `enroll` and `stop` wait.
    """

    def __init__(
        self,
        component: Component,
        link: RedisLink,
        lifetime: float,
        keep_up: Callable[[], object],
    ) -> None:
        self.owner = secrets.token_hex(8)
        self._component = component
        self._link = link
        self._lifetime = lifetime
        self._keep_up = keep_up
        self._epoch = ''
        self._held: set[int] = set()
        self._numbers = count()
        self._unanswered: dict[int, tuple[Any, ...]] = {}  # by number: callback, script, arguments
        self._refused: list[int] = []  # numbers of what Redis refused, to be sent again
        self._looking: Greenlet | None = None
        self._log = LimitedLog(logger)

    # The owner.

    def start(self) -> None:
        """Send signs of life from now on, and clean up after dead instances."""
        self._log = LimitedLog(logger)
        purpose = 'looking after the events of other instances'
        self._looking = self._component.spawn(go_on, logger, purpose, self._look)

    def stop(self, timeout: float) -> None:
        """Return leased events to their queues and delete temporary queues.

        If Redis does not do it within `timeout` seconds, this is logged, and other instances do it
        after `lifetime` seconds.
        """
        if self._looking is not None:
            self._looking.kill()
            self._looking = None
        try:
            self._link.script(timeout, 'dismiss', self.owner)
        except BrokerError as error:
            logger.error('others will have to clean up after this instance: %s', error)
        self._log.close()
        self._unanswered.clear()
        self._refused.clear()
        self._held.clear()

    def enroll(self, pipe: Pipe) -> None:
        """Begin a new epoch with the connection `pipe`, and send unanswered outcomes again.

        Waits for the answer to the first. Raises BrokerError when Redis refuses or does not answer
        within 30 s, and Lost, one of its subclasses, when the connection is lost.
        """
        self._epoch = secrets.token_hex(4)
        lifetime = int(self._lifetime * 1000)
        command = pipe.script('enroll', self.owner, self._epoch, lifetime, *self._held)
        pipe.call(_TIMEOUT, *command)
        self._refused.clear()
        for number in tuple(self._unanswered):
            self._send(pipe, number)

    def _look(self) -> None:
        gevent.sleep(self._lifetime / _LOOKS)
        pipe = self._link.connection
        if pipe is None:
            return
        try:
            lifetime = int(self._lifetime * 1000)
            command = pipe.script('look', self.owner, self._epoch, lifetime)
            known = pipe.call(self._lifetime, *command)
        except Lost:
            return  # the link connects again, and its next connection enrolls
        except BrokerError as error:
            logger.error('cannot look after the events of other instances: %s', error)
            return
        if known:
            # Redis refuses again what it cannot do yet: `_answered` adds it to the new list.
            refused, self._refused = self._refused, []
            for number in refused:
                self._send(pipe, number)
            self._keep_up()
        else:
            # this owner was taken for dead, and its events are back in their queues
            self._forgotten(pipe)

    def _forgotten(self, pipe: Pipe) -> None:
        if pipe is self._link.connection:
            pipe.fail(BrokerError('other instances took this one for dead'))

    # Leases.

    def lease(self, demands: Sequence[Demand]) -> Leased:
        """Lease up to `count` events of each queue, the oldest first; each has one more attempt.

        Waits for a connection without limit. Raises BrokerError when Redis refuses or does not
        answer within 30 s, and when other instances took this one for dead; then the connection is
        closed, and the next one begins a new epoch.
        """
        counts = [each for demand in demands for each in (demand.queue, demand.count)]
        pipe, reply = self._lease(counts)
        if not reply[0]:
            self._forgotten(pipe)
            raise BrokerError('other instances took this one for dead')
        _, leased, dues = reply
        deliveries = [
            # a record is the time of emission, a space, and the data of the event
            Delivery(int(id), queue.decode(), record.partition(b' ')[2], attempt)
            for id, queue, record, attempt in leased
        ]
        self._held.update(delivery.id for delivery in deliveries)
        due = {queue.decode(): ms / 1000 for queue, ms in zip(dues[::2], dues[1::2], strict=True)}
        return Leased(deliveries, due)

    def _lease(self, counts: Sequence[Any]) -> tuple[Pipe, Any]:
        """Return the answer and its connection; try again when the connection is lost."""
        while True:
            self._link.up.wait()
            pipe = self._link.connection
            if pipe is None:
                continue
            try:
                lease = pipe.script('lease', self.owner, self._epoch, _BYTES, *counts)
                return pipe, pipe.call(_TIMEOUT, *lease)
            except Lost:
                gevent.sleep(0)  # let the greenlet that owns the connection notice it as well
            except BrokerError as error:
                pipe.fail(error)  # it may have leased events: the next epoch returns them
                raise

    def acknowledge(self, delivery: Delivery) -> None:
        """Delete an event that was handled. Never waits."""
        self._settle(delivery, 'handled')

    def retry(self, delivery: Delivery, delay: float) -> None:
        """Put an event back, to be leased again after `delay` seconds. Never waits."""
        self._settle(delivery, 'failed', int(delay * 1000))

    def bury(self, delivery: Delivery, error: str) -> None:
        """Move an event to the dead letters, with `error` as its reason. Never waits."""
        # text that UTF-8 cannot encode must not prevent the outcome from being sent
        self._settle(delivery, 'dead', error.encode(errors='backslashreplace'))

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        """Put events back at the front of their queues, to be leased at once. Never waits.

        If not `started`, the attempt does not count.
        """
        # each is pushed to the front, so the last one has to be pushed first
        for delivery in reversed(list(deliveries)):
            self._settle(delivery, 'begun' if started else 'unbegun')

    def holds(self, claim: str) -> bool:
        """Return False: there are no claims, because exclusive queues are rejected over Redis."""
        return False

    def let_go(self, queue: str, claim: str) -> None:
        """Do nothing: there are no claims."""

    def _settle(self, delivery: Delivery, *fate: Any) -> None:
        self.tell(
            'settle', self.owner, delivery.id, *fate, then=partial(self._held.discard, delivery.id)
        )

    # Commands that are repeated until they are answered.

    def tell(self, name: str, *args: Any, then: Callable[[], object] | None = None) -> None:
        """Run a script now or over a later connection, as often as needed, without waiting.

        `then()` is called when Redis has answered. Raises Unsendable for arguments that cannot be
        encoded.
        """
        number = next(self._numbers)
        self._unanswered[number] = (then, name, *args)
        try:
            if self._link.connection is not None:
                self._send(self._link.connection, number)
        except BaseException:
            del self._unanswered[number]  # otherwise `enroll` would fail on it for ever
            raise

    def _send(self, pipe: Pipe, number: int) -> None:
        _, name, *args = self._unanswered[number]
        pipe.send(partial(self._answered, number), *pipe.script(name, *args))

    def _answered(self, number: int, reply: Any) -> None:
        if isinstance(reply, Lost):
            return
        if isinstance(reply, BrokerError):
            text = 'cannot settle an event, trying again: %s'
            self._log.write(logging.ERROR, 'outcomes', text, reply)
            self._refused.append(number)
            return
        then, *_ = self._unanswered.pop(number, (None,))
        if then is not None:
            then()
