"""One subscription: passes deliveries to its handler and settles them by the handler's outcome.

- At most as many handlers run as the broker may send events ahead. This also holds across
  connections: a handler that was called before the connection broke may still run when its event is
  delivered again.
- How many events the broker may send ahead is the state in `flow`: narrow, wide, blocked, parked or
  paused.
- A suspect (an event whose earlier deliveries were lost) begins only when no other handler of this
  subscription runs, and no other begins while it runs. So a poisonous event takes no others with it
  to the dead letters. Classic queues do not count deliveries, so they have no suspects.
- While workers are scarce (see `intake`), the broker sends nothing ahead, and `fetch` takes one
  event at a time.
- A `once` subscription begins one event. While that event waits for another attempt, it is held,
  not settled. If the connection breaks meanwhile, the broker delivers it again before any other.

A delivery that has not begun either goes back to the broker, which delivers it to any consumer
(`give_back`), or into the intake, from which it can be withdrawn (`put`). A delivery that has begun
ends with `acknowledge`, called here or by `failures`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gevent.event import Event

from lymph.core.components import Component
from lymph.core.failures import Killed
from lymph.core.greenlets import Greenlet
from lymph.events.attempts import Attempts
from lymph.events.base import Subscription
from lymph.events.deliveries import Again, Dead, ends_once
from lymph.events.kombu._rabbitmq.consuming_channels import AmqpDelivery
from lymph.events.kombu._rabbitmq.failures import Failures
from lymph.events.kombu._rabbitmq.flow import Flow
from lymph.events.kombu._rabbitmq.held_attempts import HeldAttempts
from lymph.events.kombu._rabbitmq.intake import Intake
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.messages import event_of, losses_of
from lymph.events.kombu._rabbitmq.queue_consumer import QueueConsumer
from lymph.events.kombu._rabbitmq.returns import Returns
from lymph.events.kombu._rabbitmq.topology import Queue, Topology

__all__ = ['Consumer']

_SUSPICIOUS = 2  # lost deliveries; a single one may be due to a broken connection


class Consumer:
    """Consumes the queue of `subscription` with several handlers at once.

    ====================  ======================================================================
    `component`           spawns the greenlet that calls `finish`
    `prefetch`            how many events the broker may send ahead; 1 for sequential and `once`
                          subscriptions
    `finish`              is called with a `once` subscription after its event
    `queue`               the temporary queue, if it was declared before
    ====================  ======================================================================
    """

    def __init__(
        self,
        subscription: Subscription,
        link: RabbitmqLink,
        topology: Topology,
        intake: Intake,
        attempts: Attempts,
        failures: Failures,
        component: Component,
        prefetch: int,
        finish: Callable[[Subscription], object],
        queue: Queue | None = None,
    ) -> None:
        self.subscription = subscription
        self._component = component
        self._intake = intake
        self._attempts = attempts
        self._failures = failures
        self._finish = finish
        self._limit = 1 if subscription.sequential or subscription.once else prefetch
        self._flow = Flow(self._limit)
        self._queue_consumer = QueueConsumer(
            subscription, link, topology, self._deliver, self._opened, self._closed, queue
        )
        self._waiting: deque[AmqpDelivery] = deque()
        self._returns = Returns()
        self._begun: dict[AmqpDelivery, float] = {}  # when their handlers were called
        self._running = 0  # deliveries that have begun, are held, or are in the intake
        self._settling = 0  # deliveries whose outcome is on its way to the broker
        self._suspect_runs = False
        self._held: tuple[AmqpDelivery, Greenlet] | None = None
        self._count = HeldAttempts()  # for the event of a `once` subscription
        self.idle = Event()  # set while no handler runs and no outcome is on its way
        self.idle.set()

    @property
    def queue(self) -> Queue:
        """The queue at the broker."""
        return self._queue_consumer.queue

    def start(self, timeout: float) -> None:
        """Start to consume; return when the queue is bound.

        Raises SubscriptionError when this takes more than `timeout` seconds, and at once when the
        broker refuses the queue.
        """
        self._intake.join(self)
        self._queue_consumer.start(timeout)

    def pause(self) -> None:
        """Stop deliveries and give back events that have not begun or are held. Never waits."""
        self._flow.pause()
        self._intake.leave(self)
        self._apply_flow()
        unbegun = self._intake.withdraw(self)
        for delivery in (*unbegun, *self._waiting):
            delivery.give_back()
        self._waiting.clear()
        self._running -= len(unbegun)
        if self._held is not None:
            delivery, waiting = self._held
            self._held = None
            waiting.kill(block=False)
            delivery.give_back()
            self._running -= 1
        self._note_idle()

    def stop(self) -> None:
        """Stop consuming and delete a temporary queue. The outcomes of running handlers count."""
        self.pause()
        self._queue_consumer.stop()

    # While workers are scarce.

    def park(self) -> int:
        """Stop deliveries until `resume`, and give back events that have not begun. Never waits.

        Return how many events went back. `fetch` takes single events meanwhile.
        """
        self._flow.park()
        self._apply_flow()
        kept: deque[AmqpDelivery] = deque()
        returned = 0
        for delivery in self._waiting:
            if _suspicious(delivery) or not self._returns.give_back(delivery):
                kept.append(delivery)
            else:
                returned += 1
        self._waiting = kept
        for delivery in self._intake.withdraw(self):
            if self._returns.give_back(delivery):
                self._running -= 1
                returned += 1
            else:
                self._intake.put(self, delivery)
        self._note_idle()
        return returned

    def fetch(self) -> bool:
        """Take one event out of the queue and begin it; return whether there was one. Waits.

        Return False, without asking the broker, while the running handlers leave no room for it.
        """
        if self._waiting or self._suspect_runs or self._running >= self._limit:
            return False
        delivery = self._queue_consumer.fetch()
        if delivery is None:
            return False
        if self._flow.paused:
            delivery.give_back()
            return False
        self._take(delivery)
        return True

    def resume(self) -> None:
        """Let the broker send events ahead again. Never waits."""
        self._flow.resume(self._begun)
        self._apply_flow()

    def _opened(self) -> int:
        self._flow.opened(self._begun)
        return self._flow.width

    def _apply_flow(self) -> None:
        self._queue_consumer.flow(self._flow.width)

    def _closed(self, error: Exception) -> None:
        self._failures.taken_back(self.subscription.queue_name, self._begun, error)

    # Deliveries.

    def _deliver(self, delivery: AmqpDelivery) -> None:
        if self._flow.paused:
            delivery.give_back()
        elif self._flow.parked and not _suspicious(delivery) and self._returns.give_back(delivery):
            pass  # it was on its way when the consumer was parked
        else:
            self._take(delivery)

    def _take(self, delivery: AmqpDelivery) -> None:
        self._returns.correct(delivery)
        self._flow.arrived(_suspicious(delivery))
        self._apply_flow()
        self._waiting.append(delivery)
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self._may_begin(self._waiting[0]):
            delivery = self._waiting.popleft()
            if delivery.live:
                self._running += 1
                self._suspect_runs = _suspicious(delivery)
                self.idle.clear()
                try:
                    self._intake.put(self, delivery)
                except BaseException:
                    delivery.give_back()
                    self._running -= 1
                    self._suspect_runs = False
                    self._note_idle()
                    raise

    def _may_begin(self, delivery: AmqpDelivery) -> bool:
        limit = 1 if self._suspect_runs or _suspicious(delivery) else self._limit
        return self._running < limit

    def handle(self, delivery: AmqpDelivery) -> None:
        """Call the handler and settle the delivery by its outcome. Called in a worker."""
        try:
            if delivery.live:
                self._begun[delivery] = time.monotonic()
                self._attempt(delivery)
        except Killed:
            delivery.give_back()
            raise
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._failures.stopped(delivery, self.subscription, error)
        finally:
            self._running -= 1
            self._suspect_runs = False
            self._begun.pop(delivery, None)
            self._note_idle()
            self._advance()
            if self._flow.old:
                self._flow.ended(delivery)
                self._apply_flow()

    def _attempt(self, delivery: AmqpDelivery) -> None:
        """Make an attempt; then settle the event, or hold it for a `once` subscription."""
        subscription, message = self.subscription, delivery.message
        number = self._count.number(message)
        outcome = self._attempts.make(subscription, number, event_of, message)
        if isinstance(outcome, Dead):
            self._settling += 1
            self._failures.bury(delivery, subscription, number, outcome.error, self._settled)
        elif not isinstance(outcome, Again):
            if not delivery.live:
                self._failures.late(subscription.queue_name, delivery, self._begun[delivery])
            delivery.acknowledge()
        elif subscription.once:
            self._hold(delivery, number, outcome.delay)
        else:
            self._settling += 1
            target, delay = self._queue_consumer.queue, outcome.delay
            self._failures.retry(delivery, subscription, target, number, delay, self._settled)
        if ends_once(outcome):
            self._end_once()
        self._attempts.report(subscription, number, outcome)

    def _hold(self, delivery: AmqpDelivery, number: int, delay: float) -> None:
        """Try an event again after `delay` seconds; no other event begins meanwhile.

        Give it back if the consumer is paused.
        """
        if self._flow.paused:
            delivery.give_back()
            return
        self._count.hold(delivery.message, number)
        self._running += 1
        waiting = Greenlet(self._try_again, delivery)
        self._held = delivery, waiting
        waiting.start_later(delay)

    def _try_again(self, delivery: AmqpDelivery) -> None:
        self._held = None
        try:
            if delivery.live:
                self._intake.put(self, delivery)
                return
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._failures.stopped(delivery, self.subscription, error)
        self._running -= 1
        self._note_idle()
        self._advance()  # it may have been delivered again over a new connection

    def _settled(self) -> None:
        self._settling -= 1
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._running and not self._settling:
            self.idle.set()

    def _end_once(self) -> None:
        if self.subscription.once and not self._flow.paused:
            self.pause()
            self._component.spawn(self._finish, self.subscription)


def _suspicious(delivery: AmqpDelivery) -> bool:
    return losses_of(delivery.message) >= _SUSPICIOUS
