"""The event system over RabbitMQ: publishes over one connection and consumes over another."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import amqp
import gevent
from gevent.lock import RLock

from lymph.config import ConfigView
from lymph.core._system.clocks import SteadyClock
from lymph.core._system.forks import abandon_in_children
from lymph.core.events import Event
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.attempts import Attempts
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.checks import check_subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.event_system import KombuEventSystem
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection
from lymph.events.kombu._rabbitmq.consumer import Consumer
from lymph.events.kombu._rabbitmq.deadletters import RabbitmqDeadLetters
from lymph.events.kombu._rabbitmq.delays import LONGEST, fine
from lymph.events.kombu._rabbitmq.exclusive import ExclusiveConsumer
from lymph.events.kombu._rabbitmq.failures import Failures
from lymph.events.kombu._rabbitmq.intake import Intake
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.messages import again, message_of
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.events.kombu._rabbitmq.queues import RabbitmqQueues
from lymph.events.kombu._rabbitmq.records import Records
from lymph.events.kombu._rabbitmq.settings import RabbitmqSettings
from lymph.events.kombu._rabbitmq.topology import Queue, Topology
from lymph.events.kombu._rabbitmq.upkeep import Upkeep
from lymph.events.kombu.serializers import SERIALIZERS
from lymph.exceptions import SubscriptionError

__all__ = ['RabbitmqEventSystem', 'from_config']

_PREFETCH = 100  # if neither the configuration nor the number of workers limits it
_SETTLE_TIMEOUT = 3.0  # seconds to wait for outcomes at the stop
_CLOSE_TIMEOUT = 2.0  # seconds to wait for the broker when a connection is closed


class RabbitmqEventSystem(KombuEventSystem):
    """Carries events through RabbitMQ.

    `backoff` gives the delays of failed events; `kwargs` are the arguments of a Component.
    """

    queues: RabbitmqQueues

    def __init__(
        self, settings: RabbitmqSettings, *, backoff: Backoff | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self._backoff = backoff or Backoff()
        self._serializer = SERIALIZERS[settings.serializer]
        self._topology = Topology(settings.exchange, settings.queue_type)
        self._consumers: dict[str, Consumer | ExclusiveConsumer] = {}
        self._prepared: dict[str, Queue] = {}  # temporary queues, by the name of the subscription
        self._starting = RLock()
        self._clock = SteadyClock()
        self._outage = Reminder()
        link = partial(
            RabbitmqLink,
            brokers=settings.brokers,
            shuffle=settings.shuffle,
            reminder=self._outage,
            tracker=self._tracker,
        )
        self._emitting = link(
            'emitting events', prepare=self._prepare_emitting, on_down=self._emitting_down
        )
        self._consuming = link('consuming events', prepare=self._prepare_consuming)
        self._consuming_started = False
        self._declared: dict[str, Subscription] = {}
        self._upkeep = Upkeep(self._emitting, self._topology, self._queues)
        restore = self._upkeep.restore
        self._now = Publisher(self._emitting, self._topology.declare_exchanges, restore)
        self._later = Publisher(self._emitting, self._topology.declare_delay, restore)
        self._attempts = Attempts(self, self._backoff)
        self._failures: Failures | None = None
        self._intake: Intake | None = None
        self.dead_letters = RabbitmqDeadLetters(
            self._emitting, self._topology, self._now, settings.confirm_timeout
        )
        self._records = Records(self._emitting, self._topology, self._now, settings.confirm_timeout)
        self._topology.declared = self._records.note
        self.queues = RabbitmqQueues(
            self._emitting,
            self._topology,
            self._records,
            self.dead_letters,
            settings.confirm_timeout,
            settings.management,
        )
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> RabbitmqEventSystem:
        """Make the event system from a section whose addresses are of RabbitMQ.

        Raises ConfigurationError as `RabbitmqSettings.from_config` does.
        """
        return cls(RabbitmqSettings.from_config(config), **kwargs)

    def on_start(self) -> None:
        """Open the connection for emitting; the first subscription opens the one for consuming.

        Raises BrokerError when no address accepts the connection, and in a forked child.
        """
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
        """Stop consuming, settle handled events, give back the others, and disconnect.

        Waits up to 3 s for running handlers, and then up to 2 s for each step of the disconnection.
        """
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
        """Refuse every use in a forked child; the parent keeps the connections."""
        super().abandon()
        self._upkeep.stop()
        self._records.abandon()
        self._emitting.abandon()
        self._consuming.abandon()

    def _subscribed(self, name: str) -> Subscription | None:
        consumer = self._consumers.get(name)
        return None if consumer is None else consumer.subscription

    def _subscribe(self, subscription: Subscription) -> None:
        name = subscription.queue_name
        self._topology.names.check(name)
        consumer = self._consumers[name] = self._make_consumer(subscription)
        try:
            self._start_consuming(name)
            consumer.start(self.settings.confirm_timeout)
        except BaseException:  # also when the caller is killed or its timeout ends
            self._consumers.pop(name, None)
            consumer.stop()
            raise

    def _declare(self, subscription: Subscription) -> None:
        name = subscription.queue_name
        self._topology.names.check(name)
        queue = self._topology.queue(subscription, token='')
        try:
            with self._emitting.channel(self.settings.confirm_timeout) as channel:
                self._topology.declare_queue(channel, queue, subscription.event_types)
        except BrokerError as error:
            raise SubscriptionError(f'{name}: cannot keep events: {error}') from error
        self._declared[name] = subscription

    def _unsubscribe(self, name: str) -> None:
        self._consumers.pop(name).stop()

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Declare and bind all queues over one channel, before they are consumed.

        `consumed` are the subscriptions of this instance, `kept` those whose queues only collect
        events. Raises SubscriptionError for an invalid name, for a queue that exists with other
        arguments, when there is no connection within the confirm timeout, and while the event
        system is not running; WrongThread in another native thread.
        """
        self._expect_own_thread('queues were prepared')
        queues: list[tuple[Subscription, Queue]] = []
        for subscription in (*consumed, *kept):
            name = subscription.queue_name
            check_subscription(subscription, None)  # nothing is consumed yet
            self._availability.check(SubscriptionError, name)
            self._topology.names.check(name)
            token = secrets.token_hex(8)
            queues.append((subscription, self._topology.queue(subscription, token)))
        # what an error is about: all queues, then the one that is being declared
        concerned = ', '.join(subscription.queue_name for subscription, _ in queues)
        try:
            with self._emitting.channel(self.settings.confirm_timeout) as channel:
                for subscription, queue in queues:
                    concerned = subscription.queue_name
                    self._topology.declare_queue(channel, queue, subscription.event_types)
                    if subscription.temporary:
                        # Its name has a random token, so the consumer has to be given this queue.
                        self._prepared[concerned] = queue
        except BrokerError as error:
            raise SubscriptionError(f'{concerned}: cannot keep events: {error}') from error
        self._declared.update((subscription.queue_name, subscription) for subscription in kept)

    def has_queue(self, name: str) -> bool:
        """Return whether the broker has a queue of this name.

        Raises SubscriptionError for an invalid name and when the broker cannot be asked,
        WrongThread in another native thread.
        """
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

    def _pack(self, event: Event, delay: float) -> tuple[Publisher, Publication]:
        if delay > LONGEST:
            raise ValueError(
                f'expected a delay of up to {LONGEST:.0f} s (30 days), found {delay:g} s'
            )
        message = message_of(event, self._serializer, time.time())
        if delay > 0:
            return self._later, self._delayed(event.type, message, delay)
        return self._now, Publication(message, self._topology.names.events, event.type)

    def _publish(self, publisher: Publisher, publication: Publication) -> None:
        publisher.publish(publication, self.settings.confirm_timeout)

    def _address(self) -> object:
        return self._emitting.broker

    def pause(self) -> None:
        """Stop deliveries; events whose handlers have not begun go back. Never waits."""
        for consumer in self._consumers.values():
            consumer.pause()

    def _make_consumer(self, subscription: Subscription) -> Consumer | ExclusiveConsumer:
        intake, failures = self._intake, self._failures
        assert intake is not None  # `on_start` creates both
        assert failures is not None
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
        """Yield the queues that have to exist while this instance runs."""
        for name, subscription in self._declared.items():
            if name not in self._consumers:
                yield self._topology.queue(subscription, token=''), subscription
        for consumer in self._consumers.values():
            yield consumer.queue, consumer.subscription

    def _delayed(self, topic: str, message: amqp.Message, delay: float) -> Publication:
        level = fine(delay, self._clock.now())
        queue = self._topology.delay_queue(level)

        def declare(channel: AmqpChannel) -> None:
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

    def _prepare_emitting(self, connection: AmqpConnection) -> None:
        self._now.prepare(connection)
        self._later.prepare(connection)

    def _emitting_down(self) -> None:
        self._now.down()
        self._later.down()

    def _prepare_consuming(self, connection: AmqpConnection) -> None:
        channel = connection.channel()
        self._topology.declare_exchanges(channel)
        channel.close()


from_config = RabbitmqEventSystem.from_config  # `event_system` imports this name lazily
