"""The event system over Redis: emits, leases and settles events over one connection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lymph.config import ConfigView
from lymph.core._system.forks import abandon_in_children
from lymph.core.events import Event
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.checks import check_subscription
from lymph.events.consumption import Consumption
from lymph.events.envelope import pack_event
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.event_system import KombuEventSystem
from lymph.events.kombu._redis.brokers import RedisBroker
from lymph.events.kombu._redis.letters import RedisDeadLetters
from lymph.events.kombu._redis.links import RedisLink
from lymph.events.kombu._redis.pipes import Pipe
from lymph.events.kombu._redis.publisher import RedisPublisher
from lymph.events.kombu._redis.queues import RedisQueues
from lymph.events.kombu._redis.settings import RedisSettings
from lymph.events.kombu._redis.store import RedisStore
from lymph.exceptions import SubscriptionError

__all__ = ['RedisEventSystem', 'from_config']

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True)
class _Consumed:
    """A queue that this instance consumes."""

    queue: str
    subscription: Subscription


class RedisEventSystem(KombuEventSystem):
    """Carries events through Redis.

    `backoff` gives the delays of failed events; `kwargs` are the arguments of a Component.
    """

    dead_letters: RedisDeadLetters
    queues: RedisQueues

    def __init__(
        self, settings: RedisSettings, *, backoff: Backoff | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._timeout = settings.confirm_timeout
        self._consumed: dict[str, _Consumed] = {}
        self._link = RedisLink(
            [RedisBroker(params) for params in settings.arguments],
            settings.exchange,
            self._queues,
            self._ring,
            self._prepare,
            settings.shuffle,
            self._tracker,
        )
        self._store = RedisStore(self, self._link, settings.visibility_timeout, self._keep_up)
        self._publisher = RedisPublisher(self._link, self._timeout)
        self._consumption = Consumption(self, self._store, self.unsubscribe, backoff or Backoff())
        self.dead_letters = RedisDeadLetters(self._link, self._timeout)
        self.queues = RedisQueues(self._link, self._timeout)
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> RedisEventSystem:
        """Make the event system from a section whose addresses are of Redis.

        Raises ConfigurationError as `RedisSettings.from_config` does.
        """
        return cls(RedisSettings.from_config(config), **kwargs)

    def on_start(self) -> None:
        """Connect to Redis and start to send signs of life.

        Raises BrokerError when no address accepts the connection, when the configuration of Redis
        would lose events, and in a forked child.
        """
        self._availability.check_fork(BrokerError)
        self._link.start()
        self._store.start()
        self._availability.start()
        self._consumption.start()

    def on_stop(self) -> None:
        """Return leased events to their queues, delete temporary queues and disconnect.

        Waits up to 2 s for Redis, and up to 2 s more for the end of the connection.
        """
        if not self._availability.running:
            return
        self._availability.stop()
        self._consumption.stop()
        self._consumed.clear()
        self._store.stop(_CLOSE_TIMEOUT)
        self._link.stop(_CLOSE_TIMEOUT)

    def abandon(self) -> None:
        """Refuse every use in a forked child; the parent keeps the connection."""
        super().abandon()
        self._consumption.pause()
        self._link.abandon()

    def _subscribed(self, name: str) -> Subscription | None:
        consumed = self._consumed.get(name)
        return None if consumed is None else consumed.subscription

    def _subscribe(self, subscription: Subscription) -> None:
        name = subscription.queue_name
        consumed = self._consumed[name] = _Consumed(self._queue(subscription), subscription)
        try:
            self._make(consumed)
        except BaseException:
            del self._consumed[name]
            raise
        self._link.listen(consumed.queue)
        self._consumption.add(consumed.queue, subscription)

    def _declare(self, subscription: Subscription) -> None:
        self._make(_Consumed(subscription.queue_name, subscription), owner='')

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Declare and bind queues before they are consumed; temporary ones end with this instance.

        `consumed` are the subscriptions of this instance, `kept` those whose queues only collect
        events. Raises SubscriptionError for an exclusive subscription, and when Redis refuses or
        does not answer within the confirm timeout; WrongThread in another native thread.
        """
        self._expect_own_thread('queues were prepared')
        for subscription in consumed:
            check_subscription(subscription, None)
            self._make(_Consumed(self._queue(subscription), subscription))
        for subscription in kept:
            self.declare(subscription)

    def has_queue(self, name: str) -> bool:
        """Return whether there is a queue of this name.

        Raises SubscriptionError when Redis does not answer within the confirm timeout, and
        WrongThread in another native thread.
        """
        self._expect_own_thread(f'{name} was looked for')
        return bool(self._run(name, 'exists', name))

    def _unsubscribe(self, name: str) -> None:
        consumed = self._consumed.pop(name)
        self._consumption.remove(consumed.queue)
        self._link.ignore(consumed.queue)
        if consumed.subscription.temporary:
            self._store.tell('withdraw', consumed.queue)

    def _pack(self, event: Event, delay: float) -> tuple[str, bytes, float]:
        return event.type, pack_event(event), delay

    def _publish(self, topic: str, data: bytes, delay: float) -> None:
        self._publisher.publish(topic, data, delay)

    def _address(self) -> object:
        return self._link.broker

    def pause(self) -> None:
        """Stop leasing events; handlers that run go on."""
        self._consumption.pause()

    def _queue(self, subscription: Subscription) -> str:
        token = f'.{self._store.owner}' if subscription.temporary else ''
        return subscription.queue_name + token

    def _make(self, consumed: _Consumed, owner: str | None = None) -> None:
        if consumed.subscription.exclusive:
            raise SubscriptionError(
                f'{consumed.queue}: expected a handler whose events may overlap, found an '
                f'exclusive queue for {consumed.subscription.handler!r}: Redis cannot promise a '
                'single consumer, so there are no serial events over it; use RabbitMQ, or class: '
                'embedded on one machine'
            )
        self._run(consumed.queue, 'declare', *self._declaration(consumed, owner))

    def _declaration(self, consumed: _Consumed, owner: str | None = None) -> tuple[str, ...]:
        """Return the arguments of the script `declare`; `owner` is this instance by default."""
        owner = self._store.owner if owner is None else owner
        subscription = consumed.subscription
        temporary = '1' if subscription.temporary else ''
        return consumed.queue, owner, temporary, *subscription.event_types

    def _run(self, queue: str, script: str, *args: str) -> Any:
        self._availability.check(SubscriptionError, queue)
        try:
            return self._link.script(self._timeout, script, *args)
        except BrokerError as error:
            raise SubscriptionError(
                f'{queue}: cannot be had at {self._link.broker}: {error}'
            ) from error

    def _prepare(self, pipe: Pipe) -> None:
        """Enroll with a new connection and declare all queues again.

        Redis may have lost its data, or other instances may have taken this one for dead.
        """
        self._store.enroll(pipe)
        for consumed in tuple(self._consumed.values()):
            pipe.call(self._timeout, *pipe.script('declare', *self._declaration(consumed)))
        self._ring_all()

    def _queues(self) -> list[str]:
        return [consumed.queue for consumed in self._consumed.values()]

    def _ring(self, queue: str) -> None:
        self._consumption.ring(queue)

    def _keep_up(self) -> None:
        """Declare all queues again, in case one was dropped, and poll them."""
        for consumed in tuple(self._consumed.values()):
            self._store.tell('declare', *self._declaration(consumed))
        self._ring_all()

    def _ring_all(self) -> None:
        """Poll all queues in case a bell was missed."""
        for consumed in tuple(self._consumed.values()):
            self._ring(consumed.queue)


from_config = RedisEventSystem.from_config  # `event_system` imports this name lazily
