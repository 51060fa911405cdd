"""One subscription that consumes its queue alone, in the order of the queue.

The broker lets one consumer of the queue be active (``x-single-active-consumer``) and sends it one
event at a time. What decides about order is how a consumer leaves; seen with RabbitMQ 3.10:

- When a channel ends, quorum and classic queues put what it has not settled back to the front
  before the next consumer is active. That holds for a lost connection too.
- When the active consumer is cancelled, a quorum queue goes on with the next consumer and the next
  event, though an event is still out. So a consumer that holds an event never cancels, it closes
  its channel; only with an outcome in hand it cancels first, so that it is sent no further event.

A failed event is held until it is tried again, since whatever is put back may be given to another.
Before each attempt the broker is asked over the channel whether it still stands. The answer is good
for a heartbeat interval: the broker gives up a silent connection after twice that time at least.

So the states of `flow` take effect only between events:

========  =========================================================================================
narrow    it consumes, or stands by
blocked   the channel was replaced while the handler runs: it stands by until that has ended
parked    it consumes only while a worker is free for its event (`fetch`), and cancels before it
          acknowledges; an event that has not begun goes back by a new channel (`put_back`)
paused    it leaves (`leave`) as soon as the handler that runs has ended; an event that has not
          begun, or is held, goes back
========  =========================================================================================
"""

from __future__ import annotations

import time

import gevent
from gevent.event import Event

from lymph.core.failures import Killed
from lymph.core.greenlets import Greenlet
from lymph.events.attempts import Attempts
from lymph.events.base import Subscription
from lymph.events.deliveries import Again, Dead, Handled
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery
from lymph.events.kombu._rabbitmq.failures import Failures
from lymph.events.kombu._rabbitmq.flow import Flow
from lymph.events.kombu._rabbitmq.held_attempts import HeldAttempts
from lymph.events.kombu._rabbitmq.intake import Intake
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.messages import event_of
from lymph.events.kombu._rabbitmq.queue_consumer import QueueConsumer
from lymph.events.kombu._rabbitmq.returns import Returns
from lymph.events.kombu._rabbitmq.topology import Queue, Topology

__all__ = ['ExclusiveConsumer']

_FETCH_TIMEOUT = 0.2  # seconds for an event that another consumer may have been sent


class ExclusiveConsumer:
    """Consumes the queue of `subscription`."""

    def __init__(
        self,
        subscription: Subscription,
        link: RabbitmqLink,
        topology: Topology,
        intake: Intake,
        attempts: Attempts,
        failures: Failures,
    ) -> None:
        self.subscription = subscription
        self._intake = intake
        self._attempts = attempts
        self._failures = failures
        self._flow = Flow(limit=1)
        self._queue_consumer = QueueConsumer(
            subscription, link, topology, self._deliver, self._opened, self._closed
        )
        self._returns = Returns()
        self._begun: dict[AmqpDelivery, float] = {}  # when the handler was called
        self._expecting = False
        self._arrived = Event()
        self._next: AmqpDelivery | None = None
        self._count = HeldAttempts()
        # the event that waits for a worker, is handled or held, or whose outcome is on its way
        self._current: AmqpDelivery | None = None
        self._retrying: Greenlet | None = None
        self.idle = Event()
        self.idle.set()

    @property
    def queue(self) -> Queue:
        """Its queue at the broker."""
        return self._queue_consumer.queue

    def start(self, timeout: float) -> None:
        """Consume, or stand by; returns when the queue is bound. Raises SubscriptionError."""
        self._intake.join(self)
        self._queue_consumer.start(timeout)

    def pause(self) -> None:
        """Leave the queue to others, as soon as the handler that runs has ended. Never waits."""
        if self._flow.paused:
            return
        self._flow.pause()
        self._intake.leave(self)
        if self._intake.withdraw(self) or self._retrying is not None:
            self._end()
        elif self._current is None:
            self._queue_consumer.leave()

    def stop(self) -> None:
        """Leave the queue to others, as `pause` does."""
        self.pause()

    # While workers are scarce.

    def park(self) -> int:
        """Leave the queue to others between events; what has not begun goes back to its front.

        Returns how many events went back. Never waits.
        """
        self._flow.park()
        if self._current is None:
            self._apply_flow()
            return 0
        if self._retrying is not None:
            return 0  # an attempt was made, and others follow it
        for delivery in self._intake.withdraw(self):
            if self._returns.give_back(delivery, self._queue_consumer.put_back):
                self._end()
                return 1
            self._intake.put(self, delivery)
        return 0

    def fetch(self) -> bool:
        """Have an event delivered and begin it; returns whether there was one. Waits."""
        if self._current is not None or self._flow.paused:
            return False
        self._arrived.clear()
        self._expecting = True
        try:
            fetched = self._queue_consumer.poll() and self._arrived.wait(_FETCH_TIMEOUT)
        finally:
            self._expecting = False
        if not fetched and self._current is None and not self._flow.paused:
            self._apply_flow()
        return bool(fetched)

    def resume(self) -> None:
        """Consume, or stand by, all the time again. Never waits."""
        self._flow.resume(())
        if self._current is None:
            self._apply_flow()

    def _opened(self) -> int:
        running = self._current if self._retrying is None else None
        self._flow.opened(() if running is None else (running,))
        return self._flow.width

    def _apply_flow(self) -> None:
        self._queue_consumer.flow(self._flow.width)

    def _closed(self, error: Exception) -> None:
        self._failures.taken_back(self.subscription.queue_name, self._begun, error)

    # What is delivered.

    def _deliver(self, delivery: AmqpDelivery) -> None:
        if self._expecting:
            self._arrived.set()
        elif (
            self._flow.parked
            and self._current is None
            and self._returns.give_back(delivery, self._queue_consumer.put_back)
        ):
            return  # it was on its way
        self._returns.correct(delivery)
        self._next = delivery
        if self._retrying is not None:
            # it was held when the connection was lost, and has come back
            self._intake.withdraw(self)
            self._end()
        else:
            self._advance()

    def _advance(self) -> None:
        delivery, self._next = self._next, None
        if self._current is not None or self._flow.paused:
            self._next = delivery
        elif delivery is not None and delivery.live:
            self._current = delivery
            self.idle.clear()
            try:
                self._intake.put(self, delivery)
            except BaseException:
                delivery.give_back()
                self._current = None
                self.idle.set()
                raise

    def handle(self, delivery: AmqpDelivery) -> None:
        """Call the handler, if the event is still ours; its outcome decides what becomes of it."""
        self._retrying = None
        try:
            done = self._flow.paused or not _is_ours(delivery) or self._attempt(delivery)
        except Killed:
            if not self._flow.paused:
                delivery.give_back()  # to the front, and to us
            self._end()
            raise
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._failures.stopped(delivery, self.subscription, error)
            done = True
        if done:
            self._end()

    def _attempt(self, delivery: AmqpDelivery) -> bool:
        """Make an attempt; returns False while the event is not settled."""
        subscription, message = self.subscription, delivery.message
        number = self._count.number(message)
        since = self._begun[delivery] = time.monotonic()
        try:
            outcome = self._attempts.make(subscription, number, event_of, message)
        finally:
            del self._begun[delivery]
        if not isinstance(outcome, Again):
            self._count.forget()
        if isinstance(outcome, Again):
            self._hold(delivery, number, outcome.delay)
        elif isinstance(outcome, Dead):
            self._failures.bury(delivery, subscription, number, outcome.error, self._end)
        else:
            if not delivery.live:
                self._failures.late(subscription.queue_name, delivery, since)
            self._apply_flow()  # before the acknowledgement, or it is sent another event
            delivery.acknowledge()
        self._attempts.report(subscription, number, outcome)
        return isinstance(outcome, Handled)

    def _hold(self, delivery: AmqpDelivery, number: int, delay: float) -> None:
        """Try an event again after `delay` seconds; who leaves gives it back instead."""
        if self._flow.paused:
            self._end()
            return
        self._count.hold(delivery.message, number)
        self._retrying = Greenlet(self._try_again, delivery)
        self._retrying.start_later(delay)

    def _try_again(self, delivery: AmqpDelivery) -> None:
        try:
            self._intake.put(self, delivery)
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._retrying = None
            self._failures.stopped(delivery, self.subscription, error)
            self._end()

    def _end(self) -> None:
        """Be done with an event; what is not settled by now goes back to its place."""
        if self._retrying is not None:
            self._retrying.kill(block=False)
            self._retrying = None
        self._flow.ended(self._current)
        self._current = None
        self.idle.set()
        if self._flow.paused:
            self._queue_consumer.leave()
        else:
            self._apply_flow()
            self._advance()


def _is_ours(delivery: AmqpDelivery) -> bool:
    while delivery.live:
        if delivery.confirm():
            return True
        gevent.sleep(0)
    return False
