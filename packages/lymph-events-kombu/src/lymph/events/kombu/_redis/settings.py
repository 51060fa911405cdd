"""The settings of events over Redis, read from the section `container.events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lymph.config import ConfigView
from lymph.events.kombu._connecting.settings import (
    LONGEST_CONFIRM,
    Addresses,
    read_confirm_timeout,
    read_exchange,
    read_shuffle,
)
from lymph.events.kombu._redis.names import DEFAULT_EXCHANGE, is_exchange
from lymph.events.kombu.serializers import SERIALIZERS

__all__ = ['RedisSettings']

_VISIBILITY_TIMEOUT = 30.0  # seconds
_DIGITS = 10  # the number of a database has fewer

# keys that have a meaning over RabbitMQ only, with the end of the error's sentence
_REFUSED = (
    ('queue_type', 'Redis has one type of queues, which is not replicated by a quorum'),
    ('management', 'Redis tells all by itself'),
    ('prefetch', 'over Redis no more events are fetched than may run'),
    ('login_method', 'Redis has no login methods'),
)


@dataclass(frozen=True)
class RedisSettings:
    """The settings of the event system over Redis.

    ==================  ======================================================================
    arguments           those of `kombu.Connection` for each address, in the order of attempts
    shuffle             whether to try the addresses in random order instead (default: no)
    exchange            prefix of all keys, which keeps systems apart; see `names`
    confirm_timeout     seconds until an event that is not confirmed is an error (default 10)
    visibility_timeout  seconds after which a silent instance counts as dead (default 30)
    ==================  ======================================================================
    """

    arguments: tuple[Mapping[str, Any], ...] = field(repr=False)
    shuffle: bool
    exchange: str
    confirm_timeout: float
    visibility_timeout: float

    @classmethod
    def from_config(cls, config: ConfigView) -> RedisSettings:
        """Return the settings of a section.

        Raises ConfigurationError for unknown keys and invalid values, for keys that have a meaning
        over RabbitMQ only, and for addresses of RabbitMQ.
        """
        addresses = Addresses.from_config(config)
        if not addresses.redis:
            raise config.error('urls', 'expected Redis, found RabbitMQ; use class: kombu')
        _refuse(config)
        for arguments in addresses.arguments:
            _check_database(config, arguments)
        return cls(
            arguments=addresses.arguments,
            visibility_timeout=_visibility_timeout(config),
            shuffle=read_shuffle(config),
            exchange=read_exchange(config, DEFAULT_EXCHANGE, is_exchange),
            confirm_timeout=read_confirm_timeout(config),
        )


def _refuse(config: ConfigView) -> None:
    for key, why in _REFUSED:
        if key in config:
            raise config.error(key, f'expected nothing, for {why}; remove it, or use RabbitMQ')
    serializers = tuple(SERIALIZERS)
    if config.get_choice('serializer', serializers, serializers[0]) != 'lymph-msgpack':
        found = config.describe('serializer')
        raise config.error('serializer', f'expected lymph-msgpack over Redis, found {found}')


def _check_database(config: ConfigView, arguments: Mapping[str, Any]) -> None:
    place = str(arguments.get('virtual_host') or '/').strip('/')
    if place and not (place.isascii() and place.isdecimal() and len(place) < _DIGITS):
        raise config.error(
            'virtual_host' if 'virtual_host' in config else 'urls',
            'expected the number of a database of Redis, as in redis://host:6379/0, found '
            'something else',
        )


def _visibility_timeout(config: ConfigView) -> float:
    """Return `visibility_timeout`, the only supported option of kombu's Redis transport."""
    options = config.view('transport_options')
    for name in options:
        if name != 'visibility_timeout':
            raise options.error([name], 'expected visibility_timeout alone over Redis; remove it')
    return options.get_float(
        'visibility_timeout', _VISIBILITY_TIMEOUT, minimum=1, maximum=LONGEST_CONFIRM
    )
