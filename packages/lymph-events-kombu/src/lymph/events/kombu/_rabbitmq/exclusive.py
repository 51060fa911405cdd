"""One subscription that is the only active consumer of its queue and keeps the queue's order.

The broker has one active consumer of the queue (``x-single-active-consumer``) and sends it one
event at a time. The order depends on how a consumer leaves. Observed with RabbitMQ 3.10:

- When a channel ends, quorum and classic queues return its unsettled events to the front before
  the next consumer becomes active. This also holds for a lost connection.
- When the active consumer is cancelled, a quorum queue continues with the next consumer and the
  next event, although an event is still unsettled. So a consumer with an event in hand does not
  cancel, but closes its channel. Only when it has an outcome, it cancels first and acknowledges
  then, so that the broker sends it no further event.

A failed event is held until its next attempt, because an event that is put back may go to another
consumer. Before each attempt the consumer asks the broker over the channel whether the channel
still exists. The answer is valid for a heartbeat interval, because the broker drops a silent
connection after two intervals at the earliest.

So the states of `flow` take effect only between events:

========  =========================================================================================
narrow    the consumer is active, or stands by
blocked   the channel was replaced while a handler runs: it does not consume until that has ended
parked    it consumes only while a worker is free for its event (`fetch`), and cancels before it
          acknowledges; an event that has not begun goes back with its channel (`put_back`)
paused    it leaves (`leave`) as soon as a running handler has ended; an event that has not begun,
          or is held, goes back
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

_FETCH_TIMEOUT = 0.2  # seconds; the event may have gone to another consumer


class ExclusiveConsumer:
    """Consumes the queue of `subscription` with one handler at a time, in the queue's order."""

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
        self._expecting = False  # whether `fetch` waits for a delivery
        self._arrived = Event()
        self._next: AmqpDelivery | None = None
        self._count = HeldAttempts()
        # the event in hand: in the intake, running, held, or with its outcome on its way
        self._current: AmqpDelivery | None = None
        self._retrying: Greenlet | None = None
        self.idle = Event()
        self.idle.set()

    @property
    def queue(self) -> Queue:
        """The queue at the broker."""
        return self._queue_consumer.queue

    def start(self, timeout: float) -> None:
        """Start to consume, or to stand by; return when the queue is bound.

        Raises SubscriptionError when this takes more than `timeout` seconds, and at once when the
        broker refuses the queue.
        """
        self._intake.join(self)
        self._queue_consumer.start(timeout)

    def pause(self) -> None:
        """Leave the queue to others, after the end of a running handler. Never waits."""
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
        """Leave the queue to others between events until `resume`. Never waits.

        An event that has not begun goes back to the front. Return how many events went back.
        """
        self._flow.park()
        if self._current is None:
            self._apply_flow()
            return 0
        if self._retrying is not None:
            return 0  # an attempt at it was made, so it stays here for the next one
        for delivery in self._intake.withdraw(self):
            if self._returns.give_back(delivery, self._queue_consumer.put_back):
                self._end()
                return 1
            self._intake.put(self, delivery)
        return 0

    def fetch(self) -> bool:
        """Ask the broker for one event and begin it; return whether one arrived. Waits."""
        if self._current is not None or self._flow.paused:
            return False
        self._arrived.clear()
        self._expecting = True
        try:
            fetched = self._queue_consumer.poll() and self._arrived.wait(_FETCH_TIMEOUT)
        finally:
            self._expecting = False
        # `poll` lets the broker send one event at a time, so that has to end: an event that came
        # later would find no worker.
        if not fetched and self._current is None and not self._flow.paused:
            self._apply_flow()
        return bool(fetched)

    def resume(self) -> None:
        """Consume, or stand by, without interruption again. Never waits."""
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

    # Deliveries.

    def _deliver(self, delivery: AmqpDelivery) -> None:
        if self._expecting:
            self._arrived.set()
        elif (
            self._flow.parked
            and self._current is None
            and self._returns.give_back(delivery, self._queue_consumer.put_back)
        ):
            return  # it was on its way when the consumer was parked
        self._returns.correct(delivery)
        self._next = delivery
        if self._retrying is not None:
            # the event was held when the connection was lost, and is delivered again
            self._intake.withdraw(self)
            self._end()
        else:
            self._advance()

    def _advance(self) -> None:
        """Pass the next event to the intake if none is in hand and the consumer is not paused.

        One that the broker has taken back is forgotten: it is delivered again.
        """
        delivery, self._next = self._next, None
        if self._current is not None or self._flow.paused:
            self._next = delivery
        elif delivery is not None and delivery.live:
            self._current = delivery
            self.idle.clear()
            try:
                self._intake.put(self, delivery)
            except BaseException:
                # no handler will call `_end`, so without this the queue would stand still
                delivery.give_back()
                self._current = None
                self.idle.set()
                raise

    def handle(self, delivery: AmqpDelivery) -> None:
        """Call the handler and settle the delivery by its outcome. Called in a worker.

        Does nothing if the consumer was paused or the broker has taken the event back.
        """
        self._retrying = None
        try:
            done = self._flow.paused or not _is_ours(delivery) or self._attempt(delivery)
        except Killed:
            if not self._flow.paused:
                delivery.give_back()  # to the front, and again to this consumer
            self._end()
            raise
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._failures.stopped(delivery, self.subscription, error)
            done = True
        if done:
            self._end()

    def _attempt(self, delivery: AmqpDelivery) -> bool:
        """Make an attempt; return whether the event is settled already."""
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
            self._apply_flow()  # before the acknowledgement, after which the next event comes
            delivery.acknowledge()
        self._attempts.report(subscription, number, outcome)
        return isinstance(outcome, Handled)

    def _hold(self, delivery: AmqpDelivery, number: int, delay: float) -> None:
        """Try an event again after `delay` seconds; give it back if the consumer is paused."""
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
        """End the work on the current event; it goes back to its place if it is not settled."""
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
