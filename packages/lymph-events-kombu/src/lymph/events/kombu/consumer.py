"""One subscription: from deliveries to its handler, and from the handler's end to the outcome.

- At most as many handlers run as the broker may send ahead. That also holds across connections: a
  handler called before the connection broke may still run when its event is delivered again.
- An event whose earlier deliveries were lost may be what ends its consumers. It is a suspect: it
  begins when nothing else of this subscription runs, nothing begins while it runs, and the broker
  sends no more ahead until an event comes that is none. So a poisonous event takes no others with
  it to the dead letters. Classic queues do not count deliveries; there is no suspect among theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gevent.event import Event

from lymph.core.components import Component
from lymph.core.failures import Killed
from lymph.events.base import Subscription
from lymph.events.kombu.failures import Failures
from lymph.events.kombu.intake import Intake
from lymph.events.kombu.keeper import Keeper
from lymph.events.kombu.links import Link
from lymph.events.kombu.messages import attempt_of, event_of, failures_of, losses_of
from lymph.events.kombu.sessions import Delivery
from lymph.events.kombu.topology import Topology

__all__ = ['Consumer']

_SUSPICIOUS = 2  # lost deliveries; a connection may break now and then


class Consumer:
    """Consumes the queue of `subscription`; `finish` is called when it ends by itself."""

    def __init__(
        self,
        subscription: Subscription,
        component: Component,
        link: Link,
        topology: Topology,
        intake: Intake,
        failures: Failures,
        prefetch: int,
        finish: Callable[[Subscription], object],
    ) -> None:
        self.subscription = subscription
        self._component = component
        self._intake = intake
        self._failures = failures
        self._finish = finish
        self._limit = 1 if subscription.sequential or subscription.once else prefetch
        self._keeper = Keeper(subscription, link, topology, self._limit, self._deliver)
        self._waiting: deque[Delivery] = deque()
        self._running = 0
        self._settling = 0
        self._suspect_runs = False
        self._paused = False
        self.idle = Event()  # no handler runs, no outcome is on its way
        self.idle.set()

    def start(self, timeout: float) -> None:
        """Consume; returns when the queue is bound. Raises SubscriptionError."""
        self._keeper.start(timeout)

    def pause(self) -> None:
        """Have nothing more delivered and give back what has not begun. Never waits."""
        self._paused = True
        self._keeper.pause()
        unbegun = self._intake.withdraw(self)
        for delivery in (*unbegun, *self._waiting):
            delivery.give_back()
        self._waiting.clear()
        self._running -= len(unbegun)
        self._note_idle()

    def stop(self) -> None:
        """Consume no more; a temporary queue is deleted. Handlers that run are settled."""
        self.pause()
        self._keeper.stop()

    # What is delivered.

    def _deliver(self, delivery: Delivery) -> None:
        if self._paused:
            delivery.give_back()
            return
        if _suspicious(delivery):
            self._keeper.narrow()
        else:
            self._keeper.widen()
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

    def _may_begin(self, delivery: Delivery) -> bool:
        limit = 1 if self._suspect_runs or _suspicious(delivery) else self._limit
        return self._running < limit

    def handle(self, delivery: Delivery) -> None:
        """Call the handler; its outcome decides what becomes of the event."""
        try:
            if delivery.live:
                self._attempt(delivery)
        except Killed:
            delivery.give_back()
            raise
        except BaseException as error:  # noqa: BLE001 - logged; the queue must go on
            self._failures.stopped(self.subscription.queue_name, delivery, error)
        finally:
            self._running -= 1
            self._suspect_runs = False
            self._note_idle()
            self._advance()

    def _attempt(self, delivery: Delivery) -> None:
        subscription = self.subscription
        try:
            event = event_of(delivery.message)
        except Exception as error:  # noqa: BLE001 - whatever others sent is no reason to stop
            self._bury(delivery, error)
            self._failures.refused(subscription.queue_name, error)
            return
        try:
            subscription.handler(event)
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - _failed logs it
            self._failed(delivery, error)
        else:
            delivery.acknowledge()
            self._end_once()

    # Outcomes.

    def _failed(self, delivery: Delivery, error: BaseException) -> None:
        subscription, failed = self.subscription, failures_of(delivery.message) + 1
        delay = self._failures.delay(failed, subscription.retry, error)
        if delay is None:
            self._bury(delivery, error)
            self._end_once()
        else:
            self._settling += 1
            queue, temporary = self._keeper.queue, subscription.temporary
            self._failures.retry(delivery, queue, temporary, delay, self._settled)
        attempt = attempt_of(delivery.message)
        self._failures.failed(subscription, self._component, error, attempt, delay)

    def _bury(self, delivery: Delivery, error: BaseException) -> None:
        self._settling += 1
        self._failures.bury(delivery, self.subscription.queue_name, error, self._settled)

    def _settled(self) -> None:
        self._settling -= 1
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._running and not self._settling:
            self.idle.set()

    def _end_once(self) -> None:
        if self.subscription.once and not self._paused:
            self.pause()
            self._component.spawn(self._finish, self.subscription)


def _suspicious(delivery: Delivery) -> bool:
    return losses_of(delivery.message) >= _SUSPICIOUS
