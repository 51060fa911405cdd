"""The settings of events over RabbitMQ, read from the section `container.events`."""

from __future__ import annotations

from dataclasses import dataclass

from lymph.config import ConfigView
from lymph.events.kombu._connecting.options import read_amqp_options
from lymph.events.kombu._connecting.settings import (
    Addresses,
    read_confirm_timeout,
    read_exchange,
    read_shuffle,
)
from lymph.events.kombu._rabbitmq.brokers import Broker
from lymph.events.kombu._rabbitmq.management import Management
from lymph.events.kombu._rabbitmq.names import DEFAULT_EXCHANGE
from lymph.events.kombu.serializers import SERIALIZERS

__all__ = ['QUEUE_TYPES', 'RabbitmqSettings']

QUEUE_TYPES = ('quorum', 'classic')

_MOST_AHEAD = 65535  # the prefetch is an unsigned 16-bit field in AMQP


@dataclass(frozen=True)
class RabbitmqSettings:
    """The settings of the event system over RabbitMQ.

    ===============  =========================================================================
    brokers          the addresses, in the order of attempts
    shuffle          whether to try the addresses in random order instead (default: no)
    exchange         the topic exchange, which keeps systems apart; see `names`
    queue_type       ``quorum`` (default) or ``classic``
    serializer       ``lymph-msgpack`` (default) or ``lymph-json``
    confirm_timeout  seconds until an event that is not confirmed is an error (default 10)
    prefetch         events sent ahead for each handler; None: as many as may run at once
    management       the management API for `lymph queues`; None: it is not used
    ===============  =========================================================================
    """

    brokers: tuple[Broker, ...]
    shuffle: bool
    exchange: str
    queue_type: str
    serializer: str
    confirm_timeout: float
    prefetch: int | None
    management: Management | None

    @classmethod
    def from_config(cls, config: ConfigView) -> RabbitmqSettings:
        """Return the settings of a section.

        Raises ConfigurationError for unknown keys and invalid values, and for addresses of Redis.
        """
        addresses = Addresses.from_config(config)
        if addresses.redis:
            raise config.error('urls', 'expected RabbitMQ, found Redis; use class: kombu')
        options = read_amqp_options(config)
        config.get_line('virtual_host', None)  # rejects numbers, which are databases of Redis
        arguments = [{**each, 'transport_options': options} for each in addresses.arguments]
        serializers = tuple(SERIALIZERS)
        return cls(
            brokers=tuple(map(Broker, arguments)),
            shuffle=read_shuffle(config),
            exchange=read_exchange(config, DEFAULT_EXCHANGE),
            queue_type=config.get_choice('queue_type', QUEUE_TYPES, QUEUE_TYPES[0]),
            serializer=config.get_choice('serializer', serializers, serializers[0]),
            confirm_timeout=read_confirm_timeout(config),
            prefetch=config.get_int('prefetch', None, minimum=1, maximum=_MOST_AHEAD),
            management=_management(config),
        )


def _management(config: ConfigView) -> Management | None:
    url = config.get_line('management', None)
    if url is None:
        return None
    try:
        return Management.parse(url)
    except ValueError:
        found = config.describe('management')
        raise config.error(
            'management', f'expected http(s)://user:password@host:port, found {found}'
        ) from None
