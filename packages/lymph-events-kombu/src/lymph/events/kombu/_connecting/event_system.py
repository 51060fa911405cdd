"""The event system `kombu`: the base class of its two kinds, and the choice between them.

============  =========================================================  ========================
addresses     event system                                               needs
============  =========================================================  ========================
amqp, amqps   `lymph.events.kombu._rabbitmq.system:RabbitmqEventSystem`
redis(s)      `lymph.events.kombu._redis.system:RedisEventSystem`        the extra ``[redis]``
============  =========================================================  ========================

`KombuEventSystem` is the base of both. Its methods make the checks that both kinds need, and then
call the method of the same name with an underscore, which each kind defines.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView
from lymph.config.lazy import lazy
from lymph.config.printable import object_name
from lymph.core._system.refusals import Availability
from lymph.core.events import Event
from lymph.core.monitoring.connection_states import ConnectionState, ConnectionTracker
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.settings import Addresses
from lymph.exceptions import EmitFailure, SubscriptionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['KombuEventSystem']

# imported when first called, because redis-py may not be installed
_rabbitmq: Callable[..., KombuEventSystem] = lazy('lymph.events.kombu._rabbitmq.system:from_config')
_redis: Callable[..., KombuEventSystem] = lazy('lymph.events.kombu._redis.system:from_config')


class KombuEventSystem(BaseEventSystem):
    """Carries events through RabbitMQ or Redis, depending on the addresses.

    Call `from_config`, which returns an instance of one of the two subclasses. Raises TypeError
    when this class itself is called. Source: the manual, 4.2.3.
    """

    def __init__(self, **kwargs: Unpack[ComponentParts]) -> None:
        if type(self) is KombuEventSystem:
            raise TypeError('call KombuEventSystem.from_config, which chooses by the addresses')
        super().__init__(**kwargs)
        self._availability = Availability('event system')
        self._tracker = ConnectionTracker()

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> KombuEventSystem:
        """Make the event system for the addresses in the section.

        `kwargs` are the arguments of a Component, and `backoff`, the delays of failed events.

        Raises ConfigurationError for unknown keys and invalid values, for addresses of Redis if
        redis-py is not installed, and when a subclass inherits this method: it makes instances of
        the two kinds above only.
        """
        if cls is not KombuEventSystem:
            raise config.error(
                'class',
                f'expected KombuEventSystem, found {object_name(cls)}, a subclass that inherits '
                'from_config, which makes no instances of it; define from_config there, or use '
                'class: kombu',
            )
        if not Addresses.from_config(config).redis:
            return _rabbitmq(config, **kwargs)
        if find_spec('redis') is None:
            raise config.error(
                'urls' if 'urls' in config else 'transport',
                'events over Redis need its Python client, which is not installed; '
                "pip install 'lymph-events-kombu[redis]'",
            )
        return _redis(config, **kwargs)

    def connection_state(self) -> ConnectionState:
        """Return the state of the connections to the broker.

        Over RabbitMQ there are two: one for emitting events, and from the first subscription on one
        for consuming them. The event system is connected while it has all that it needs. Never
        waits; may be called by another native thread.
        """
        return self._tracker.state

    def abandon(self) -> None:
        """Refuse every use in a forked child; the parent keeps its connections."""
        self._availability.abandon()
        self._tracker.down(self._availability.refusal or '')

    def subscribe(self, subscription: Subscription) -> None:
        """Declare and bind the queue and consume it.

        Raises SubscriptionError when the broker does not do this within the confirm timeout, and
        at once when the queue exists with other arguments, for an exclusive subscription over
        Redis, and while the event system is not running. Raises WrongThread in another native
        thread.
        """
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was subscribed')
        check_subscription(subscription, self._subscribed(name))
        self._availability.check(SubscriptionError, name)
        self._subscribe(subscription)

    def declare(self, subscription: Subscription) -> None:
        """Declare and bind the queue, so that it collects events for later consumers.

        Raises SubscriptionError and WrongThread as `subscribe` does.
        """
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was declared')
        check_declaration(subscription)
        self._availability.check(SubscriptionError, name)
        self._declare(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming. The outcomes of running handlers count; a temporary queue is deleted.

        Raises WrongThread in another native thread.
        """
        name = subscription.queue_name
        self._expect_own_thread(f'{name} was unsubscribed')
        if self._subscribed(name) is subscription:
            self._unsubscribe(name)

    def emit(self, event: Event, delay: float = 0) -> None:
        """Publish the event and wait until the broker confirms it, at most the confirm timeout.

        `delay` is in seconds. Raises EmitFailure when the broker does not confirm the event in time
        and while the event system is not running, SerializationError for a body that cannot be
        packed, ValueError for an invalid event or delay (over RabbitMQ more than 30 days), and
        WrongThread in another native thread.
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

    # Subclasses define the following methods.

    def _subscribed(self, name: str) -> Subscription | None:
        """Return the subscription that consumes the queue of this name, or None."""
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
        """Publish what `_pack` returned; raises BrokerError unless the broker confirms it."""
        raise NotImplementedError

    def _address(self) -> object:
        """Return the broker that events are published to, for the text of errors."""
        raise NotImplementedError
