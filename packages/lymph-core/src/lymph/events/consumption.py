"""Consuming queues: from a store's leases to handlers in workers, and back with the outcome.

The event systems that keep their own queues differ in the store alone. The rules are here:

- One greenlet leases for all queues of an instance; nothing else does. It asks for no more events
  than there are free workers, a few for each queue in turn, and for one at a time where a
  subscription is sequential. What it does for an event does not depend on how many queues there
  are: those that may have something stand in a line of their own.
- Where a store gives less than it was asked for because events are large, the queues that got
  nothing come first in the next lease.
- It sleeps until something can be had: a queue was rung, a delayed event is due, a handler made
  room. A ring that arrives during a lease is not lost.
- Outcomes are handed to the store without waiting. The store takes leases and outcomes in order,
  so that an event's outcome is known before the next one of its queue is leased.
- The consumer of an exclusive queue holds a claim to it, which comes with a lease and is given back
  when none of its handlers runs any more. It is checked again right before a handler is called.
- Events that were leased but never reached a handler go back, and the attempt does not count.
- A `once` subscription begins one event: while that waits for another attempt it stays leased.
- An attempt fails whatever the handler raises. The store is told before anything is logged and
  before hooks are called. Only `Killed` interrupts an attempt.
- The loop goes on after a pause, whatever the store raises.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import gevent
from gevent.event import Event as Signal

from lymph.core.components import Component
from lymph.core.failures import Killed, error_line, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.attempts import Attempts
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.deliveries import Again, Dead, ends_once
from lymph.events.envelope import unpack_event
from lymph.events.leases import Delivery, Demand, Leased, Store
from lymph.exceptions import LymphError

__all__ = ['Consumption']

logger = logging.getLogger(__name__)

_BATCH = 32  # events leased from one queue at a time, so that instances share what there is
_MOST = 1000  # handlers of one queue at once where the workers have no bound
_PATIENCE = 60.0  # seconds; the timers of a suspended machine stand still, its delays do not
_AFTER_ERROR = 1.0  # seconds before the next lease when the store failed


class _Consumer:
    """One subscription and the queue it consumes."""

    def __init__(self, queue: str, subscription: Subscription) -> None:
        self.queue = queue
        self.subscription = subscription
        self.running = 0
        self.look = False  # the queue may have something; then it stands in the line
        alone = subscription.sequential or subscription.once or subscription.exclusive
        self.limit = 1 if alone else _MOST
        self.claim = secrets.token_hex(8) if subscription.exclusive else None

    def room(self) -> int:
        return self.limit - self.running if self.look else 0


class Consumption:
    """Consumes the queues of one instance; `finish` is called when a `once` subscription ends."""

    def __init__(
        self,
        component: Component,
        store: Store,
        finish: Callable[[Subscription], None],
        backoff: Backoff,
    ) -> None:
        self._component = component
        self._store = store
        self._finish = finish
        self._backoff = backoff
        self._consumers: dict[str, _Consumer] = {}
        self._line: dict[str, _Consumer] = {}  # those to look into, the first one first
        self._dues: dict[
            str, float
        ] = {}  # when a queue will have something, by the monotonic clock
        self._wake = Signal()
        self._paused = False
        self._loop: Greenlet | None = None
        self._reminder = Reminder()
        self._attempts = Attempts(component, backoff)

    # Called by the event system.

    def start(self) -> None:
        """Begin to consume what is or will be added."""
        self._paused = False
        self._attempts = Attempts(self._component, self._backoff)
        self._loop = self._component.spawn(self._run)

    def stop(self) -> None:
        """Lease no more and forget all queues; handlers that run keep running."""
        self._paused = True
        self._consumers.clear()
        self._line.clear()
        self._dues.clear()
        if self._loop is not None:
            self._loop.kill()
            self._loop = None
        self._attempts.close()

    def pause(self) -> None:
        """Lease no more; handlers that run are settled."""
        self._paused = True
        for consumer in self._consumers.values():
            self._let_go(consumer)

    def add(self, queue: str, subscription: Subscription) -> None:
        """Consume `queue` for a subscription."""
        self._consumers[queue] = _Consumer(queue, subscription)
        self.ring(queue)

    def remove(self, queue: str) -> None:
        """Consume `queue` no longer."""
        consumer = self._consumers.pop(queue, None)
        self._line.pop(queue, None)
        self._dues.pop(queue, None)
        if consumer is not None:
            self._let_go(consumer)

    def ring(self, queue: str) -> None:
        """Look into `queue`: something was put there. Never waits."""
        consumer = self._consumers.get(queue)
        if consumer is not None:
            self._stand_in_line(consumer)
            self._wake.set()

    def _stand_in_line(self, consumer: _Consumer) -> None:
        consumer.look = True
        self._line.setdefault(consumer.queue, consumer)

    # The loop.

    def _run(self) -> None:
        while True:
            self._wake.wait(self._patience())
            self._wake.clear()
            if not self._paused:
                self._wait_for_room()
            demands = self._demands()
            if not demands:
                continue
            consumers = [self._consumers[demand.queue] for demand in demands]
            try:
                leased = self._store.lease(demands)
                self._note(demands, leased)
                self._start_all(leased.deliveries, {each.queue: each for each in consumers})
                self._return_strays(consumers)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the store raises
                self._pause_after(error)
                self._look_again(demands)

    def _pause_after(self, error: BaseException) -> None:
        text = 'cannot fetch events, trying again'
        due = self._reminder.due(time.monotonic())  # a full disk may last for a night
        if due and isinstance(error, LymphError):
            logger.error('%s: %s', text, error_text(error))
        elif due:
            log_failure(logger, error, text)
        gevent.sleep(_AFTER_ERROR)

    def _wait_for_room(self) -> None:
        workers = self._component.workers
        while workers.wait_free() and workers.free < 1:
            gevent.sleep(0)  # somebody else was quicker

    def _patience(self) -> float | None:
        if self._paused or not self._dues:
            return None
        return max(min(self._dues.values()) - time.monotonic(), 0)

    def _demands(self) -> list[Demand]:
        free = self._component.workers.free
        demands: list[Demand] = []
        if self._paused:
            return demands
        self._line_up_what_is_due()
        for name, consumer in list(self._line.items()):
            if free < 1:
                if demands:
                    self._wake.set()  # the others come next, as soon as a worker is free
                break
            count = int(min(consumer.room(), free, _BATCH))
            if count > 0:
                demands.append(Demand(name, count, consumer.claim))
                free -= count
                consumer.look = False
                del self._line[name]  # it goes to the end of the line if it has more
        return demands

    def _line_up_what_is_due(self) -> None:
        now = time.monotonic()
        for queue in [queue for queue, due in self._dues.items() if due <= now]:
            del self._dues[queue]
            self._stand_in_line(self._consumers[queue])

    def _note(self, demands: Sequence[Demand], leased: Leased) -> None:
        """Remember which queues may have more, now or later."""
        given: dict[str, int] = {}
        for delivery in leased.deliveries:
            given[delivery.queue] = given.get(delivery.queue, 0) + 1
        now = time.monotonic()
        # a full lease has nothing for the last queues: now they are the first
        for demand in sorted(demands, key=lambda demand: demand.queue in given):
            if demand.queue not in self._consumers:
                continue
            self._dues.pop(demand.queue, None)
            due = leased.due.get(demand.queue)
            if given.get(demand.queue, 0) >= demand.count or due == 0:
                self.ring(demand.queue)
            elif due is not None:
                self._dues[demand.queue] = now + min(due, _PATIENCE)

    def _look_again(self, demands: Sequence[Demand]) -> None:
        for demand in demands:
            self.ring(demand.queue)

    # Claims.

    def _let_go(self, consumer: _Consumer) -> None:
        """Give back the claim of a consumer that leases no more, unless its handler runs."""
        if consumer.claim is not None and not consumer.running:
            self._store.let_go(consumer.queue, consumer.claim)

    def _over(self, consumer: _Consumer) -> bool:
        return self._paused or self._consumers.get(consumer.queue) is not consumer

    def _return_strays(self, consumers: Iterable[_Consumer]) -> None:
        """Give back claims that came with a lease to those who have left meanwhile."""
        for consumer in filter(self._over, consumers):
            self._let_go(consumer)

    # The events.

    def _start_all(
        self, deliveries: Sequence[Delivery], consumers: Mapping[str, _Consumer]
    ) -> None:
        waiting = list(reversed(deliveries))
        try:
            while waiting and not self._paused:
                delivery = waiting[-1]
                consumer = consumers[delivery.queue]
                if self._consumers.get(delivery.queue) is not consumer:
                    self._store.release([waiting.pop()], started=False)
                    continue
                self._component.workers.start(self._handle, consumer, delivery)
                consumer.running += 1  # the handler's first step is the hub's next turn
                waiting.pop()
        finally:
            if waiting:
                self._store.release(waiting, started=False)

    def _handle(self, consumer: _Consumer, delivery: Delivery) -> None:
        subscription = consumer.subscription
        settled = False
        try:
            if consumer.claim is None or self._store.holds(consumer.claim):
                settled = self._attempt(subscription, delivery)
            else:
                logger.warning('%s: was taken over by another instance', consumer.queue)
                self._store.release([delivery], started=False)
                self.ring(consumer.queue)
        except Killed:
            self._store.release([delivery], started=True)
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the store raises
            self._attempts.report_unsettled(subscription, error)
            try:
                gevent.sleep(_AFTER_ERROR)  # or it would come again at once, as often as can be
            finally:
                self._store.release([delivery], started=True)
        finally:
            consumer.running -= 1
            if consumer.look:
                self._wake.set()
            if subscription.once and settled:
                consumer.limit = 0
            if self._over(consumer):
                self._let_go(consumer)
        if subscription.once and settled:
            self._finish(subscription)

    def _attempt(self, subscription: Subscription, delivery: Delivery) -> bool:
        """Make an attempt and tell the store; returns whether a `once` subscription is over."""
        number = delivery.attempt
        outcome = self._attempts.make(subscription, number, unpack_event, delivery.data)
        if isinstance(outcome, Dead):
            self._store.bury(delivery, error_line(outcome.error))
        elif not isinstance(outcome, Again):
            self._store.acknowledge(delivery)
        elif subscription.once:
            self._hold(delivery, outcome.delay)
        else:
            self._store.retry(delivery, outcome.delay)
        self._attempts.report(subscription, number, outcome)
        return ends_once(outcome)

    def _hold(self, delivery: Delivery, delay: float) -> None:
        """Keep an event for `delay` seconds, in which nothing else of its queue is begun.

        It is lost with its instance, as the queue of a `once` subscription is.
        """
        consumer = self._consumers.get(delivery.queue)
        if consumer is None:
            self._store.acknowledge(delivery)
        else:
            consumer.running += 1
            self._component.spawn(self._come_back, consumer, delivery, delay)

    def _come_back(self, consumer: _Consumer, delivery: Delivery, delay: float) -> None:
        gevent.sleep(delay)
        consumer.running -= 1
        if self._paused:
            return
        if self._over(consumer):
            self._store.acknowledge(delivery)
        else:
            self._store.release([delivery], started=True)  # to the front
            self.ring(consumer.queue)
