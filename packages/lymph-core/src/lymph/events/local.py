"""Events within one process, in its memory: for tests, with the semantics of the others.

A hub holds the queues, as a broker would; the containers that share it see each other's events.
What is in a hub is safe for as long as the hub lives.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.core._system.refusals import Availability
from lymph.core.events import Event
from lymph.core.options import refuse_unknown
from lymph.events._local.hub import LocalDeadLetters, LocalEventSystemHub
from lymph.events.backoff import Backoff
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.consumption import Consumption
from lymph.events.envelope import pack_event
from lymph.events.leases import Delivery, Demand, Leased
from lymph.exceptions import EmitFailure, SubscriptionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['LocalDeadLetters', 'LocalEventSystem', 'LocalEventSystemHub']


@dataclass(frozen=True)
class _LocalSubscription:
    """A queue that this instance consumes."""

    queue: str
    subscription: Subscription
    bell: Callable[[], object]


class LocalEventSystem(BaseEventSystem):
    """Carries events among the containers of one process that share `hub`.

    Without a hub it stands alone. `backoff` says how long failed events wait.
    """

    dead_letters: LocalDeadLetters

    def __init__(
        self,
        hub: LocalEventSystemHub | None = None,
        backoff: Backoff | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        self.hub = LocalEventSystemHub() if hub is None else hub
        self.dead_letters = self.hub.dead_letters
        self.queues = self.hub.queues
        self._token = secrets.token_hex(4)
        self._availability = Availability('event system')
        self._consumed: dict[str, _LocalSubscription] = {}
        self._prepared: dict[str, Subscription] = {}  # by their queues
        self._placeholder = partial(bool)  # the bell of a prepared queue; no other system has it
        self._store = _HubStore(self.hub)
        self._consumption = Consumption(self, self._store, self.unsubscribe, backoff or Backoff())

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> LocalEventSystem:
        """Make the event system; ``hub: dep:name`` shares a hub that is a dependency.

        Raises ConfigurationError for other keys, and for a `hub` of another type.
        """
        refuse_unknown(config, ('hub',))
        hub = config.get('hub')
        if not isinstance(hub, (LocalEventSystemHub, type(None))):
            raise config.error('hub', f'expected dep:<a LocalEventSystemHub>, found {quoted(hub)}')
        return cls(**{'hub': hub, **kwargs})

    def on_start(self) -> None:
        """Begin to carry events."""
        self._availability.start()
        self._consumption.start()

    def on_stop(self) -> None:
        """Put back what was leased; temporary queues end."""
        for consumed in list(self._consumed.values()):
            self.unsubscribe(consumed.subscription)
        for queue, subscription in self._prepared.items():
            self.hub.withdraw(queue, self._placeholder, remove=subscription.temporary)
        self._prepared.clear()
        self._consumption.stop()
        self.hub.release(self._store)
        self._availability.stop()

    def subscribe(self, subscription: Subscription) -> None:
        """Begin to consume; events emitted from now on arrive.

        Raises SubscriptionError as the contract says, and when this system does not run.
        """
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        name = subscription.queue_name
        known = self._consumed.get(name)
        check_subscription(subscription, None if known is None else known.subscription)
        self._availability.check(SubscriptionError, name)
        queue = self._queue(subscription)
        bell = partial(self._consumption.ring, queue)
        self._consumed[name] = _LocalSubscription(queue, subscription, bell)
        self.hub.declare(queue, subscription.event_types, bell, subscription.temporary)
        if self._prepared.pop(queue, None) is not None:
            self.hub.withdraw(queue, self._placeholder, remove=False)
        self._consumption.add(queue, subscription)

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Make all queues in the hub; raises SubscriptionError as the contract says."""
        self._expect_own_thread('queues were prepared')
        for subscription in kept:
            self.declare(subscription)
        for subscription in consumed:
            check_subscription(subscription, None)
            queue = self._queue(subscription)
            self._prepared[queue] = subscription
            self.hub.declare(
                queue, subscription.event_types, self._placeholder, subscription.temporary
            )

    def declare(self, subscription: Subscription) -> None:
        """Make a durable queue that keeps events until an instance consumes it.

        Raises SubscriptionError as the contract says.
        """
        self._expect_own_thread(f'{subscription.queue_name} was declared')
        check_declaration(subscription)
        self.hub.declare(subscription.queue_name, subscription.event_types, _nobody)
        self.hub.withdraw(subscription.queue_name, _nobody, remove=False)

    def has_queue(self, name: str) -> bool:
        """Tell whether the hub has a queue of that name."""
        self._expect_own_thread(f'{name} was looked for')
        return self.hub.has_queue(name)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming; a temporary queue is removed."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        name = subscription.queue_name
        consumed = self._consumed.get(name)
        if consumed is not None and consumed.subscription is subscription:
            del self._consumed[name]
            self._consumption.remove(consumed.queue)
            self.hub.withdraw(consumed.queue, consumed.bell, remove=subscription.temporary)

    def emit(self, event: Event, delay: float = 0) -> None:
        """Put the event into the queues of the hub that collect it.

        Raises EmitFailure when this system does not run, SerializationError and ValueError for an
        event that cannot be emitted.
        """
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        data = pack_event(event)
        if self._availability.refusal is not None:
            raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
        self.hub.publish(event.type, data, delay)

    def pause(self) -> None:
        """Fetch no more events."""
        self._consumption.pause()

    def _queue(self, subscription: Subscription) -> str:
        name = subscription.queue_name
        return f'{name}.{self._token}' if subscription.temporary else name


def _nobody() -> None:
    """The bell of a queue that nobody consumes yet."""


class _HubStore:
    """What one event system leases from a hub."""

    def __init__(self, hub: LocalEventSystemHub) -> None:
        self._hub = hub

    def lease(self, demands: Sequence[Demand]) -> Leased:
        return self._hub.lease(self, demands)

    def acknowledge(self, delivery: Delivery) -> None:
        self._hub.acknowledge(delivery)

    def retry(self, delivery: Delivery, delay: float) -> None:
        self._hub.put_back(delivery, delay)

    def bury(self, delivery: Delivery, error: str) -> None:
        self._hub.bury(delivery, error)

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        for delivery in deliveries:
            self._hub.put_back(delivery, attempts=0 if started else -1)

    def holds(self, claim: str) -> bool:
        return True  # nobody takes a claim away: who is in the same process cannot stall alone

    def let_go(self, queue: str, claim: str) -> None:
        self._hub.let_go(queue, claim)
