"""One subscription: from deliveries to its handler, and from the handler's end to the outcome.

- At most as many handlers run as the broker may send ahead. That also holds across connections: a
  handler called before the connection broke may still run when its event is delivered again.
- What the broker may send ahead is the state in `flow`: narrow, wide, blocked, parked or paused.
- A suspect (an event whose earlier deliveries were lost) begins when nothing else of this
  subscription runs, and nothing begins while it runs. So a poisonous event takes no others with it
  to the dead letters. Classic queues do not count deliveries, so they have no suspects.
- While workers are scarce (see `intake`), nothing is sent ahead and `fetch` takes one event at a
  time.
- A `once` subscription begins one event: while that waits for another attempt it is held, not
  settled. If the connection breaks meanwhile, the broker delivers it again, before any other.

What it does with a delivery that has not begun is one of two things: `give_back` (the broker
delivers it to any consumer), or `put` it into the intake, from which it can be withdrawn. A
delivery that has begun ends with `acknowledge`, directly or by `failures`.
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

_SUSPICIOUS = 2  # lost deliveries; a connection may break now and then


class Consumer:
    """Consumes the queue of `subscription`; `finish` is called when it ends by itself.

    A temporary queue may be there already, as `queue`.
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
        self._running = 0  # begun, or given to the intake
        self._settling = 0
        self._suspect_runs = False
        self._held: tuple[AmqpDelivery, Greenlet] | None = None
        self._count = HeldAttempts()  # at the event of a `once` subscription
        self.idle = Event()  # no handler runs, no outcome is on its way
        self.idle.set()

    @property
    def queue(self) -> Queue:
        """Its queue at the broker."""
        return self._queue_consumer.queue

    def start(self, timeout: float) -> None:
        """Consume; returns when the queue is bound. Raises SubscriptionError."""
        self._intake.join(self)
        self._queue_consumer.start(timeout)

    def pause(self) -> None:
        """Have nothing more delivered and give back what has not begun. Never waits."""
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
        """Consume no more; a temporary queue is deleted. Handlers that run are settled."""
        self.pause()
        self._queue_consumer.stop()

    # While workers are scarce.

    def park(self) -> int:
        """Have events sent one at a time, by `fetch`; what has not begun goes back.

        Returns how many events went back. Never waits.
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
        """Take an event out of the queue and begin it; returns whether there was one. Waits."""
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
        """Have events sent ahead again. Never waits."""
        self._flow.resume(self._begun)
        self._apply_flow()

    def _opened(self) -> int:
        self._flow.opened(self._begun)
        return self._flow.width

    def _apply_flow(self) -> None:
        self._queue_consumer.flow(self._flow.width)

    def _closed(self, error: Exception) -> None:
        self._failures.taken_back(self.subscription.queue_name, self._begun, error)

    # What is delivered.

    def _deliver(self, delivery: AmqpDelivery) -> None:
        if self._flow.paused:
            delivery.give_back()
        elif self._flow.parked and not _suspicious(delivery) and self._returns.give_back(delivery):
            pass  # it was on its way
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
        """Call the handler; its outcome decides what becomes of the event."""
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
        """Make an attempt and settle the event, or hold it."""
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
        """Try an event again after `delay` seconds, in which nothing else is begun."""
        self._count.hold(delivery.message, number)
        if self._flow.paused:
            return
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
        self._advance()  # over a new connection it has come again

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
