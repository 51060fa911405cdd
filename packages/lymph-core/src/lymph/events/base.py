"""The contract of an event system: events out safely, events in at least once.

- `emit` returns when the event is safe (as the backend understands it) or raises EmitFailure.
- An event is acknowledged when its handler returns. If the handler raises, the table in
  `deliveries` decides: the event is tried again after growing delays, or becomes a dead letter.
  Each failure is logged and reported to the error hook. `attempts` makes and reports attempts for
  a backend.
- An event whose handler is killed, alone or with its process, is not handled: it goes to another
  consumer at once, with `attempt` one higher.
- Handlers run in `self.workers`, so no more are fetched than may run.
- Every handler gets an Event of its own, made from bytes: no other handler sees what it changes.
- A handler that raises EventRejected is not called again: the event is a dead letter at once.
- An exclusive queue has one consumer among all instances, which handles one event at a time in the
  order of the queue; the others stand by. A failed event is tried again in its place: nothing
  behind it is handled before it was handled or given up. Whoever lost the queue, because it stood
  still for too long or was cut off, begins to handle nothing more of it: that is checked right
  before the handler is called. A handler that was running then cannot be undone, and may overlap
  with the one that the next consumer calls for the same event.
- Event types are topics as in AMQP: dot-separated words; in a subscription ``*`` stands for
  one word, ``#`` for zero or more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView
from lymph.core._system.threads import get_ident
from lymph.core._work.handling import HandlerWork
from lymph.core.components import Component
from lymph.core.events import Event
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.events.deadletters import DeadLetters
from lymph.events.queues import Queues
from lymph.exceptions import WrongThread

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['BaseEventSystem', 'Subscription']


@dataclass(frozen=True, eq=False)
class Subscription:
    """What an event system needs to know about a handler; compared by identity.

    ==============  ==============================================================================
    queue_name      the queue that collects its events; unique to it, see `queue_names`
    event_types     topics, each may hold wildcards
    handler         called with the event, in one of the workers; the event is handled when it
                    returns
    sequential      at most one event at a time in this instance
    exclusive       at most one event at a time in all instances, in the order of the queue
    broadcast       every instance receives every event: the queue belongs to this instance alone
    once            one event in all, with its retries, then the subscription ends
    retry           how many attempts may follow the first, lost ones included, before a failed
                    event becomes a dead letter; see `deliveries`
    durable         the queue collects events while nobody consumes it; False for broadcast, once
                    and runtime subscriptions, whose queues end with the instance
    work            what surrounds the handler, for the container
    failed          called with the outcome of each failed attempt, when it was carried out
    ==============  ==============================================================================
    """

    queue_name: str
    event_types: tuple[str, ...]
    handler: Callable[[Event], object]
    sequential: bool = False
    broadcast: bool = False
    once: bool = False
    retry: int = 0
    durable: bool = True
    exclusive: bool = False
    work: HandlerWork | None = None
    failed: Callable[[object], object] | None = None

    @property
    def temporary(self) -> bool:
        """Whether its queue belongs to this instance alone and ends with it."""
        return self.broadcast or self.once or not self.durable


class BaseEventSystem(Component, ABC):
    """Carries events from emitters to handlers, between `on_start` and `on_stop`.

    It belongs to the native thread that made it: elsewhere each method raises WrongThread before
    anything is done.
    """

    #: the events that were given up; None where the backend keeps none
    dead_letters: DeadLetters | None = None
    #: the queues as an operator sees them; None where the backend has none, or cannot tell
    queues: Queues | None = None

    def __init__(self, **kwargs: Unpack[ComponentParts]) -> None:
        super().__init__(**kwargs)
        self._thread = get_ident()

    def connection_state(self) -> ConnectionState | None:
        """Return the state of the connection to the server; None if there is no server.

        Never waits; may be called by another native thread.
        """
        return None

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> BaseEventSystem:
        """Make the event system from its section of the configuration.

        Raises ConfigurationError for keys and values the backend does not know.
        """
        raise NotImplementedError(f'{cls.__name__} cannot be configured')

    @abstractmethod
    def subscribe(self, subscription: Subscription) -> None:
        """Bind the queue and begin to consume it; returns when events emitted from now on arrive.

        Raises SubscriptionError for an invalid topic, and for a queue that another subscription of
        this instance consumes.
        """

    @abstractmethod
    def declare(self, subscription: Subscription) -> None:
        """Make and bind a durable queue without consuming it: its events are kept for others.

        An existing queue keeps its events. Raises SubscriptionError for an invalid topic, for a
        temporary subscription, and if the queue cannot be made.
        """

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Make and bind the queues of what will be subscribed, and those kept for others.

        The queues collect events from now on; nothing is delivered before `subscribe`. Where this
        method is not overridden, the temporary queues among the consumed ones are made by
        `subscribe` alone. Raises SubscriptionError as `declare` does.
        """
        for subscription in (*consumed, *kept):
            if not subscription.temporary:
                self.declare(subscription)

    def has_queue(self, name: str) -> bool:
        """Tell whether a durable queue of that name exists, whoever made it.

        Raises SubscriptionError if the backend cannot be asked.
        """
        return False

    @abstractmethod
    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming; a queue that is not durable is removed. Unknown ones are ignored.

        An exclusive queue goes to another consumer when the handler that runs has ended.
        """

    @abstractmethod
    def emit(self, event: Event, delay: float = 0) -> None:
        """Make the event safe, to be delivered not before `delay` seconds from now.

        Raises EmitFailure if that was not confirmed, SerializationError for a payload that cannot
        be serialized, EventTooLarge for one of more than `lymph.core.limits.EVENT` bytes,
        ValueError for a type with wildcards and for a delay that is not a number of seconds from
        0 to `lymph.events.checks.LONGEST_DELAY`.
        """

    def pause(self) -> None:
        """Fetch no more events; running handlers go on, and their outcomes count. Never waits."""

    def _expect_own_thread(self, what: str) -> None:
        """Raise WrongThread in another native thread than the one that made the event system.

        All methods above begin with it; `what` was done, in words.
        """
        if get_ident() != self._thread:
            raise WrongThread(what)
