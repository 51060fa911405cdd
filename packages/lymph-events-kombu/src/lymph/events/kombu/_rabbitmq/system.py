"""The event system: two connections, what publishes over one and consumes over the other."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import amqp
import gevent
from gevent.lock import RLock

from lymph.config import ConfigView
from lymph.core._system.clocks import SteadyClock
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core.events import Event
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.attempts import Attempts
from lymph.events.backoff import Backoff
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._rabbitmq.channels import Channel, Connection
from lymph.events.kombu._rabbitmq.consumer import Consumer
from lymph.events.kombu._rabbitmq.deadletters import KombuDeadLetters
from lymph.events.kombu._rabbitmq.delays import LONGEST, fine
from lymph.events.kombu._rabbitmq.exclusive import ExclusiveConsumer
from lymph.events.kombu._rabbitmq.failures import Failures
from lymph.events.kombu._rabbitmq.intake import Intake
from lymph.events.kombu._rabbitmq.links import Link
from lymph.events.kombu._rabbitmq.messages import again, message_of
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.events.kombu._rabbitmq.queues import KombuQueues
from lymph.events.kombu._rabbitmq.records import Records
from lymph.events.kombu._rabbitmq.topology import Queue, Topology
from lymph.events.kombu._rabbitmq.upkeep import Upkeep
from lymph.events.kombu.serializers import SERIALIZERS
from lymph.events.kombu.settings import Settings
from lymph.exceptions import EmitFailure, SubscriptionError

__all__ = ['KombuEventSystem']

_PREFETCH = 100  # where neither the configuration nor the workers say how many may run
_SETTLE_TIMEOUT = 3.0  # seconds to wait for outcomes at the stop
_CLOSE_TIMEOUT = 2.0  # seconds to close a connection in order


class KombuEventSystem(BaseEventSystem):
    """Carries events through RabbitMQ. Source: the manual, 4.2.3.

    `backoff` says how long failed events wait.
    """

    queues: KombuQueues

    def __init__(
        self, settings: Settings, *, backoff: Backoff | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self._backoff = backoff or Backoff()
        self._serializer = SERIALIZERS[settings.serializer]
        self._topology = Topology(settings.exchange, settings.queue_type)
        self._consumers: dict[str, Consumer | ExclusiveConsumer] = {}
        self._prepared: dict[str, Queue] = {}  # temporary ones, by the names of their subscriptions
        self._starting = RLock()
        self._availability = Availability('event system')
        self._clock = SteadyClock()
        self._outage = outage = Reminder()
        self._emitting = Link(
            'emitting events',
            settings.brokers,
            self._prepare_emitting,
            self._emitting_down,
            settings.shuffle,
            outage,
        )
        self._consuming = Link(
            'consuming events',
            settings.brokers,
            self._prepare_consuming,
            shuffle=settings.shuffle,
            reminder=outage,
        )
        self._consuming_started = False
        self._declared: dict[str, Subscription] = {}
        self._upkeep = Upkeep(self._emitting, self._topology, self._queues)
        restore = self._upkeep.restore
        self._now = Publisher(self._emitting, self._topology.declare_exchanges, restore)
        self._later = Publisher(self._emitting, self._topology.declare_delay, restore)
        self._attempts = Attempts(self, self._backoff)
        self._failures: Failures | None = None
        self._intake: Intake | None = None
        self.dead_letters = KombuDeadLetters(
            self._emitting, self._topology, self._now, settings.confirm_timeout
        )
        self._records = Records(self._emitting, self._topology, self._now, settings.confirm_timeout)
        self._topology.declared = self._records.note
        self.queues = KombuQueues(
            self._emitting,
            self._topology,
            self._records,
            self.dead_letters,
            settings.confirm_timeout,
            settings.management,
        )
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> BaseEventSystem:
        """Make the event system from its section; see `lymph.events.kombu.settings`.

        Over Redis it is a `lymph.events.kombu._redis.system:RedisEventSystem`.
        """
        settings = Settings.from_config(config)
        if settings.redis:
            return _over_redis(config, settings, **kwargs)
        return cls(settings, **kwargs)

    def on_start(self) -> None:
        """Connect for emitting; raises BrokerError when no broker lets us in."""
        self._availability.check_fork(BrokerError)
        self._emitting.start()
        self._upkeep.start()
        self._intake = Intake(self.workers)
        self._attempts = Attempts(self, self._backoff)
        self._failures = Failures(
            self._topology,
            self._now,
            self._later,
            self._attempts,
            self.settings.confirm_timeout,
            self._outage,
        )
        self._availability.start()

    def on_stop(self) -> None:
        """Settle what was handled, give back the rest, and close within some seconds."""
        if not self._availability.running:
            return
        self._availability.stop()
        self._upkeep.stop()
        self.pause()
        consumers = list(self._consumers.values())
        gevent.wait([consumer.idle for consumer in consumers], _SETTLE_TIMEOUT)
        for consumer in consumers:
            self.unsubscribe(consumer.subscription)
        if self._intake is not None:
            self._intake.stop()
        if self._failures is not None:
            self._failures.close()
        self._attempts.close()
        self._consuming.stop(_CLOSE_TIMEOUT)
        self._consuming_started = False
        self._records.stop(_CLOSE_TIMEOUT)
        self._now.stop()
        self._later.stop()
        self._emitting.stop(_CLOSE_TIMEOUT)

    def abandon(self) -> None:
        """Refuse from now on, in a forked child; the connections stay the parent's."""
        self._availability.abandon()
        self._upkeep.stop()
        self._records.abandon()
        self._emitting.abandon()
        self._consuming.abandon()

    def subscribe(self, subscription: Subscription) -> None:
        """Declare and bind the queue and consume it.

        Raises SubscriptionError when that cannot be had within the confirm timeout, and at once
        when the queue exists with other arguments.
        """
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        name = subscription.queue_name
        known = self._consumers.get(name)
        check_subscription(subscription, known.subscription if known else None)
        self._availability.check(SubscriptionError, name)
        assert self._intake is not None  # since `on_start`
        assert self._failures is not None
        self._topology.names.check(name)
        consumer = self._make_consumer(subscription, self._intake, self._failures)
        self._consumers[name] = consumer
        try:
            self._start_consuming(name)
            consumer.start(self.settings.confirm_timeout)
        except BaseException:  # also of who is killed, or runs out of patience
            self._consumers.pop(name, None)
            consumer.stop()
            raise

    def declare(self, subscription: Subscription) -> None:
        """Declare and bind the queue, so that it collects events for whoever consumes it later.

        Raises SubscriptionError as `subscribe` does.
        """
        self._expect_own_thread(f'{subscription.queue_name} was declared')
        check_declaration(subscription)
        name = subscription.queue_name
        self._availability.check(SubscriptionError, name)
        self._topology.names.check(name)
        queue = self._topology.queue(subscription, token='')
        try:
            with self._emitting.channel(self.settings.confirm_timeout) as channel:
                self._topology.declare_queue(channel, queue, subscription.event_types)
        except BrokerError as error:
            raise SubscriptionError(f'{name}: cannot keep events: {error}') from error
        self._declared[name] = subscription

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Declare and bind all queues over one channel; temporary ones are consumed later."""
        self._expect_own_thread('queues were prepared')
        queues: list[tuple[Subscription, Queue]] = []
        for subscription in (*consumed, *kept):
            name = subscription.queue_name
            check_subscription(subscription, None)
            self._availability.check(SubscriptionError, name)
            self._topology.names.check(name)
            token = secrets.token_hex(8)
            queues.append((subscription, self._topology.queue(subscription, token)))
        name = ', '.join(subscription.queue_name for subscription, _ in queues)
        try:
            with self._emitting.channel(self.settings.confirm_timeout) as channel:
                for subscription, queue in queues:
                    name = subscription.queue_name
                    self._topology.declare_queue(channel, queue, subscription.event_types)
                    if subscription.temporary:
                        self._prepared[name] = queue
        except BrokerError as error:
            raise SubscriptionError(f'{name}: cannot keep events: {error}') from error
        self._declared.update((subscription.queue_name, subscription) for subscription in kept)

    def has_queue(self, name: str) -> bool:
        """Tell whether the broker has a queue of that name; raises SubscriptionError."""
        self._expect_own_thread(f'{name} was looked for')
        self._topology.names.check(name)
        try:
            with self._emitting.channel(self.settings.confirm_timeout) as channel:
                found = self._topology.has_queue(channel, name)
            if found:
                self.queues.adopt(name)
            return found
        except BrokerError as error:
            raise SubscriptionError(f'{name}: cannot look for the queue: {error}') from error

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming; handlers that run are settled, a temporary queue is deleted."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        consumer = self._consumers.get(subscription.queue_name)
        if consumer is not None and consumer.subscription is subscription:
            del self._consumers[subscription.queue_name]
            consumer.stop()

    def emit(self, event: Event, delay: float = 0) -> None:
        """Publish the event and wait for the broker's confirm.

        Raises as the contract says, and ValueError for a delay of more than 30 days.
        """
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        if delay > LONGEST:
            raise ValueError(
                f'expected a delay of up to {LONGEST:.0f} s (30 days), found {delay:g} s'
            )
        message = message_of(event, self._serializer, time.time())
        if self._availability.refusal is not None:
            raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
        if delay > 0:
            publisher, publication = self._later, self._delayed(event.type, message, delay)
        else:
            publisher = self._now
            publication = Publication(message, self._topology.names.events, event.type)
        try:
            publisher.publish(publication, self.settings.confirm_timeout)
        except BrokerError as error:
            raise EmitFailure(
                f'{event.type} (event {event.id}) is not known to be safe at '
                f'{self._emitting.broker}: {error}'
            ) from error

    def pause(self) -> None:
        """Have no more events delivered; those that were not begun go back. Never waits."""
        for consumer in self._consumers.values():
            consumer.pause()

    def _make_consumer(
        self, subscription: Subscription, intake: Intake, failures: Failures
    ) -> Consumer | ExclusiveConsumer:
        parts = (self._consuming, self._topology, intake, self._attempts, failures)
        if subscription.exclusive:
            return ExclusiveConsumer(subscription, *parts)
        return Consumer(
            subscription,
            *parts,
            component=self,
            prefetch=self._prefetch(),
            finish=self.unsubscribe,
            queue=self._prepared.pop(subscription.queue_name, None),
        )

    def _queues(self) -> Iterator[tuple[Queue, Subscription]]:
        """Yield the queues that are to exist while this instance runs."""
        for name, subscription in self._declared.items():
            if name not in self._consumers:
                yield self._topology.queue(subscription, token=''), subscription
        for consumer in self._consumers.values():
            yield consumer.queue, consumer.subscription

    def _delayed(self, topic: str, message: amqp.Message, delay: float) -> Publication:
        level = fine(delay, self._clock.now())
        queue = self._topology.delay_queue(level)

        def declare(channel: Channel) -> None:
            queue.declare(channel, nowait=True)
            self._topology.bind_delay(channel, level, nowait=True)

        delayed = again(message, self._topology.delay_match(level), expiration=str(level.wait))
        return Publication(
            delayed, self._topology.names.delay, topic, mandatory=True, before=declare
        )

    def _prefetch(self) -> int:
        most = self.workers.size
        wanted = self.settings.prefetch or most or _PREFETCH
        return wanted if most is None else min(wanted, most)

    # The connections.

    def _start_consuming(self, name: str) -> None:
        with self._starting:
            if self._consuming_started:
                return
            try:
                self._consuming.start()
            except BrokerError as error:
                raise SubscriptionError(f'{name}: cannot consume: {error}') from error
            if not self._availability.running:
                self._consuming.stop(_CLOSE_TIMEOUT)
                self._availability.check(SubscriptionError, name)
            self._consuming_started = True

    def _prepare_emitting(self, connection: Connection) -> None:
        self._now.prepare(connection)
        self._later.prepare(connection)

    def _emitting_down(self) -> None:
        self._now.down()
        self._later.down()

    def _prepare_consuming(self, connection: Connection) -> None:
        channel = connection.channel()
        self._topology.declare_exchanges(channel)
        channel.close()


def _over_redis(config: ConfigView, settings: Settings, **kwargs: Any) -> BaseEventSystem:
    """Load what is only needed, and perhaps only there, where Redis is used."""
    try:
        import_module('redis')
    except ModuleNotFoundError as error:
        raise config.error(
            'urls' if 'urls' in config else 'transport',
            'events over Redis need its Python client, which is not installed; '
            "pip install 'lymph-events-kombu[redis]'",
        ) from error
    module = import_module('lymph.events.kombu._redis.system')
    system: BaseEventSystem = module.RedisEventSystem(settings, **kwargs)
    return system
