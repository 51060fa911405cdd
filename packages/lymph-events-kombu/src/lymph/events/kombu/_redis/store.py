"""What one instance leases from Redis, and how it settles what it has leased.

The instance is an owner there, for as long as it says every now and then that it lives. When it has
not for `lifetime` seconds, whoever looks next gives what it had to the others, and ends its
temporary queues. An answer may be lost with its connection; so each connection is an epoch:

- With a new one, the instance tells what it has. All else that it owns goes back: it was leased to
  it by a command whose answer never came.
- A lease of an earlier epoch that arrives late gives nothing.
- Outcomes are sent until they are answered. They change nothing a second time.
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

_LOOKS = 3  # in a lifetime
_TIMEOUT = 30.0  # seconds
_BYTES = 2**20  # of events in one lease, unless a single one has more


class RedisStore:
    """Leases for an owner; `keep_up` is called after each look around."""

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
        self._unanswered: dict[int, tuple[Any, ...]] = {}
        self._refused: list[int] = []
        self._looking: Greenlet | None = None
        self._log = LimitedLog(logger)

    # The owner.

    def start(self) -> None:
        """Say that it lives from now on, and look after the others."""
        self._log = LimitedLog(logger)
        purpose = 'looking after the events of other instances'
        self._looking = self._component.spawn(go_on, logger, purpose, self._look)

    def stop(self, timeout: float) -> None:
        """Hand what is leased to the others and end temporary queues, within `timeout` seconds."""
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
        """Begin a new epoch with a connection, and send what was not answered. Waits."""
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
            return
        except BrokerError as error:
            logger.error('cannot look after the events of other instances: %s', error)
            return
        if known:
            refused, self._refused = self._refused, []
            for number in refused:
                self._send(pipe, number)
            self._keep_up()
        else:
            self._forgotten(pipe)

    def _forgotten(self, pipe: Pipe) -> None:
        if pipe is self._link.connection:
            pipe.fail(BrokerError('other instances took this one for dead'))

    # Leases.

    def lease(self, demands: Sequence[Demand]) -> Leased:
        counts = [each for demand in demands for each in (demand.queue, demand.count)]
        pipe, reply = self._lease(counts)
        if not reply[0]:
            self._forgotten(pipe)
            raise BrokerError('other instances took this one for dead')
        _, leased, dues = reply
        deliveries = [
            Delivery(int(id), queue.decode(), record.partition(b' ')[2], attempt)
            for id, queue, record, attempt in leased
        ]
        self._held.update(delivery.id for delivery in deliveries)
        due = {queue.decode(): ms / 1000 for queue, ms in zip(dues[::2], dues[1::2], strict=True)}
        return Leased(deliveries, due)

    def _lease(self, counts: Sequence[Any]) -> tuple[Pipe, Any]:
        """Return the answer and the connection that it came over, as soon as there is one."""
        while True:
            self._link.up.wait()
            pipe = self._link.connection
            if pipe is None:
                continue
            try:
                lease = pipe.script('lease', self.owner, self._epoch, _BYTES, *counts)
                return pipe, pipe.call(_TIMEOUT, *lease)
            except Lost:
                gevent.sleep(0)  # the owner of the connection has to notice, too
            except BrokerError as error:
                pipe.fail(error)  # it may have been done: the next epoch tells
                raise

    def acknowledge(self, delivery: Delivery) -> None:
        self._settle(delivery, 'handled')

    def retry(self, delivery: Delivery, delay: float) -> None:
        self._settle(delivery, 'failed', int(delay * 1000))

    def bury(self, delivery: Delivery, error: str) -> None:
        # whatever it holds, Redis is told of the end of the event
        self._settle(delivery, 'dead', error.encode(errors='backslashreplace'))

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        # each goes to the front, so the last one goes first
        for delivery in reversed(list(deliveries)):
            self._settle(delivery, 'begun' if started else 'unbegun')

    def holds(self, claim: str) -> bool:
        return False  # there are no claims: the event system refuses exclusive queues

    def let_go(self, queue: str, claim: str) -> None:
        pass

    def _settle(self, delivery: Delivery, *fate: Any) -> None:
        self.tell(
            'settle', self.owner, delivery.id, *fate, then=partial(self._held.discard, delivery.id)
        )

    # What has to be said until it was heard.

    def tell(self, name: str, *args: Any, then: Callable[[], object] | None = None) -> None:
        """Have a script run now, or over a later connection; `then` is called after it.

        Raises Unsendable for arguments that cannot be put into bytes.
        """
        number = next(self._numbers)
        self._unanswered[number] = (then, name, *args)
        try:
            if self._link.connection is not None:
                self._send(self._link.connection, number)
        except BaseException:
            del self._unanswered[number]  # or no connection could be made any more
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
