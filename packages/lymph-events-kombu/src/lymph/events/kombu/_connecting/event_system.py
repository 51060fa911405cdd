"""The event system `kombu`: what its two kinds share, and the choice between them.

============  =========================================================  ========================
addresses     event system                                               needs
============  =========================================================  ========================
amqp, amqps   `lymph.events.kombu._rabbitmq.system:RabbitmqEventSystem`
redis(s)      `lymph.events.kombu._redis.system:RedisEventSystem`        the extra ``[redis]``
============  =========================================================  ========================

`KombuEventSystem` is the base of both. Each method of the contract checks here what concerns both,
and then calls the one with an underscore that its broker defines.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from lymph.config import ConfigView
from lymph.config.lazy import lazy
from lymph.core._system.refusals import Availability
from lymph.core.events import Event
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.settings import Addresses
from lymph.exceptions import EmitFailure, SubscriptionError

__all__ = ['KombuEventSystem']

# imported when chosen, because redis-py may not be installed
_rabbitmq: Callable[..., KombuEventSystem] = lazy('lymph.events.kombu._rabbitmq.system:from_config')
_redis: Callable[..., KombuEventSystem] = lazy('lymph.events.kombu._redis.system:from_config')


class KombuEventSystem(BaseEventSystem):
    """Carries events through RabbitMQ or Redis, whichever the addresses name.

    It is made by `from_config`, which returns one of its two subclasses. Source: the manual, 4.2.3.
    """

    def __init__(self, **kwargs: Any) -> None:
        if type(self) is KombuEventSystem:
            raise TypeError('call KombuEventSystem.from_config, which chooses by the addresses')
        super().__init__(**kwargs)
        self._availability = Availability('event system')

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> KombuEventSystem:
        """Make the event system that speaks to the addresses of the section.

        `kwargs` are those of a Component, and `backoff`: how long failed events wait.

        Raises ConfigurationError for keys and values that are invalid, and when the addresses are
        of Redis, whose client is not installed.
        """
        if not Addresses.from_config(config).redis:
            return _rabbitmq(config, **kwargs)
        if find_spec('redis') is None:
            raise config.error(
                'urls' if 'urls' in config else 'transport',
                'events over Redis need its Python client, which is not installed; '
                "pip install 'lymph-events-kombu[redis]'",
            )
        return _redis(config, **kwargs)

    def subscribe(self, subscription: Subscription) -> None:
        """Declare and bind the queue and consume it.

        Raises SubscriptionError when that cannot be had within the confirm timeout, and at once
        when the queue exists with other arguments, or for an exclusive subscription over Redis.
        """
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was subscribed')
        check_subscription(subscription, self._subscribed(name))
        self._availability.check(SubscriptionError, name)
        self._subscribe(subscription)

    def declare(self, subscription: Subscription) -> None:
        """Declare and bind the queue, so that it collects events for whoever consumes it later.

        Raises SubscriptionError as `subscribe` does.
        """
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was declared')
        check_declaration(subscription)
        self._availability.check(SubscriptionError, name)
        self._declare(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming; handlers that run are settled, a temporary queue is removed."""
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was unsubscribed')
        if self._subscribed(name) is subscription:
            self._unsubscribe(name)

    def emit(self, event: Event, delay: float = 0) -> None:
        """Publish the event and wait until the broker has it, at most the confirm timeout.

        Raises as the contract says, and over RabbitMQ ValueError for a delay of more than 30 days.
        """
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        packed = self._pack(event, delay)
        if self._availability.refusal is not None:
            raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
        try:
            self._publish(*packed)
        except BrokerError as error:
            raise EmitFailure(
                f'{event.type} (event {event.id}) is not known to be safe at {self._address()}: '
                f'{error}'
            ) from error

    # What subclasses define.

    def _subscribed(self, name: str) -> Subscription | None:
        """Return the subscription that consumes a queue, by its name."""
        raise NotImplementedError

    def _subscribe(self, subscription: Subscription) -> None:
        raise NotImplementedError

    def _declare(self, subscription: Subscription) -> None:
        raise NotImplementedError

    def _unsubscribe(self, name: str) -> None:
        raise NotImplementedError

    def _pack(self, event: Event, delay: float) -> tuple[Any, ...]:
        """Return the arguments of `_publish`; raises SerializationError and ValueError."""
        raise NotImplementedError

    def _publish(self, *packed: Any) -> None:
        """Publish what was packed; raises BrokerError when it is not known to be safe."""
        raise NotImplementedError

    def _address(self) -> object:
        """Return the broker that events are published to, for errors."""
        raise NotImplementedError
