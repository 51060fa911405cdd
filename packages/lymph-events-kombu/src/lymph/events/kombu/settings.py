"""The section `container.events` of a configuration, for `class: kombu`. Source: manual, 4.2.3.

Own keys are read here; every other key is an argument of `kombu.Connection`, and one that it does
not have is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.events.kombu._connecting.addresses import (
    REDIS,
    TLS,
    TRANSPORTS,
    clean,
    parse,
    scheme_of,
    split,
)
from lymph.events.kombu._connecting.options import (
    ARGUMENTS,
    read_amqp_options,
    read_arguments,
    read_tls,
)
from lymph.events.kombu._rabbitmq import names
from lymph.events.kombu._rabbitmq.brokers import Broker
from lymph.events.kombu._rabbitmq.management import Management
from lymph.events.kombu._redis import names as redis_names
from lymph.events.kombu.serializers import SERIALIZERS

__all__ = ['QUEUE_TYPES', 'Settings']

QUEUE_TYPES = ('quorum', 'classic')
_SHUFFLE, _ROUND_ROBIN = 'shuffle', 'round-robin'

_OWN = frozenset(
    (
        *('class', 'confirm_timeout', 'exchange', 'management', 'prefetch', 'queue_type'),
        *('serializer', 'urls'),
    )
)

_DIGITS = 10  # of the number of a database
_LONGEST_EXCHANGE = 100  # bytes; names that begin with it have 255
_LONGEST_CONFIRM = 24 * 3600  # seconds
_VISIBILITY_TIMEOUT = 30.0


@dataclass(frozen=True)
class Settings:
    """What the event system has to know.

    ==================  ======================================================================
    brokers             the addresses, tried in this order
    redis               instead of them: the arguments of `kombu.Connection` for each Redis
    shuffle             tried in any order instead
    exchange            the topic exchange, by which systems are told apart; see `names`. Over
                        Redis how all keys begin
    queue_type          ``quorum`` (default) or ``classic``
    serializer          ``lymph-msgpack`` (default) or ``lymph-json``
    confirm_timeout     seconds until an event that is not confirmed is an error (default 10)
    prefetch            events fetched ahead for each handler; None: as many as may run
    management          RabbitMQ: where its management API is, for `lymph queues`; None: not asked
    visibility_timeout  Redis: seconds after which a silent instance is dead (default 30)
    ==================  ======================================================================
    """

    brokers: tuple[Broker, ...]
    shuffle: bool = False
    exchange: str = names.DEFAULT_EXCHANGE
    queue_type: str = 'quorum'
    serializer: str = 'lymph-msgpack'
    confirm_timeout: float = 10.0
    prefetch: int | None = None
    redis: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    visibility_timeout: float = _VISIBILITY_TIMEOUT
    management: Management | None = None

    @classmethod
    def from_config(cls, config: ConfigView) -> Settings:
        """Read a section; raises ConfigurationError for what cannot be meant."""
        _refuse_unknown(config)
        addresses = list(_addresses(config))
        over_redis = addresses[0].pop('transport') in REDIS
        for params in addresses[1:]:
            if (params.pop('transport') in REDIS) != over_redis:
                raise config.error('urls', 'expected RabbitMQ or Redis, found both; keep one')
        if over_redis:
            _check_redis(config, addresses)
        else:
            _finish_amqp(config, addresses)
        return cls(
            brokers=() if over_redis else tuple(Broker(params) for params in addresses),
            redis=tuple(addresses) if over_redis else (),
            visibility_timeout=_visibility_timeout(config) if over_redis else _VISIBILITY_TIMEOUT,
            shuffle=_one_of(config, 'failover_strategy', (_ROUND_ROBIN, _SHUFFLE)) == _SHUFFLE,
            queue_type=_one_of(config, 'queue_type', QUEUE_TYPES),
            serializer=_one_of(config, 'serializer', tuple(SERIALIZERS)),
            exchange=_exchange(config, over_redis),
            confirm_timeout=config.get_seconds(
                'confirm_timeout', cls.confirm_timeout, maximum=_LONGEST_CONFIRM
            ),
            prefetch=config.get_int('prefetch', None, minimum=1, maximum=65535),
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


def _exchange(config: ConfigView, over_redis: bool) -> str:
    default = redis_names.DEFAULT_EXCHANGE if over_redis else names.DEFAULT_EXCHANGE
    exchange = config.get_line('exchange', default)
    fits = names.is_exchange(exchange) and len(exchange.encode()) <= _LONGEST_EXCHANGE
    if not fits or (over_redis and not redis_names.is_exchange(exchange)):
        found = config.describe('exchange')
        raise config.error(
            'exchange',
            f'expected a name of its own, at most {_LONGEST_EXCHANGE} bytes, found {found}',
        )
    return exchange


def _refuse_unknown(config: ConfigView) -> None:
    known = _OWN | ARGUMENTS
    for key in config:
        if key not in known:
            close = close_name(key, known)
            advice = f'did you mean {close!r}?' if close else 'remove it'
            raise config.error(
                [key],
                'expected a key of the kombu event system or an argument of kombu.Connection, '
                f'found neither; {advice}',
            )


def _one_of(config: ConfigView, key: str, allowed: tuple[str, ...]) -> str:
    return config.get_choice(key, allowed, allowed[0])


def _addresses(config: ConfigView) -> Iterator[dict[str, Any]]:
    """Yield the arguments of `kombu.Connection` for each address."""
    transport = clean(config.get_line('transport', 'amqp'))
    _check_transport(config, 'transport', transport)
    tls = read_tls(config)
    common = {**read_arguments(config), 'transport': transport, 'ssl': tls or transport in TLS}
    given = {key: config.get_raw(key) for key in ('urls', 'hostname', 'alternates')}
    if given['urls'] is not None and given['hostname'] is not None:
        raise config.error('urls', 'expected either urls or hostname, found both; keep one')
    if given['urls'] is None and given['hostname'] is None:
        yield {**common, 'hostname': 'localhost'}
    for key, value in given.items():
        for address in () if value is None else _split(config, key):
            yield {**common, **_parsed(config, key, address, tls)}


def _split(config: ConfigView, key: str) -> list[str]:
    try:
        return split(config.get_raw(key))
    except ValueError as error:
        raise config.error(key, str(error)) from None


def _parsed(
    config: ConfigView, key: str, address: str, tls: bool | Mapping[str, Any]
) -> dict[str, Any]:
    scheme = scheme_of(address)
    if scheme is not None:
        _check_transport(config, key, scheme)
    try:
        given = parse(address)
    except ValueError as error:
        raise config.error(key, str(error)) from None
    if scheme is not None:
        given['transport'] = scheme
    if scheme in TLS:
        given['ssl'] = tls or True
    return given


def _check_transport(config: ConfigView, key: str, transport: str) -> None:
    if transport not in TRANSPORTS:
        raise config.error(
            key,
            f'expected {", ".join(TRANSPORTS)}, found {quoted(transport)}: other transports of '
            'kombu cannot confirm what they take, keep no dead letters and lose events with their '
            'connection; use RabbitMQ or Redis, or class: embedded on one machine',
        )


def _finish_amqp(config: ConfigView, addresses: list[dict[str, Any]]) -> None:
    options = read_amqp_options(config)
    config.get_line('virtual_host', None)  # no number, which is a database of Redis
    for params in addresses:
        params['transport_options'] = options


def _check_redis(config: ConfigView, addresses: list[dict[str, Any]]) -> None:
    """Refuse what cannot be had over Redis."""
    for key, why in (
        ('queue_type', 'Redis has one type of queues, which is not replicated by a quorum'),
        ('management', 'Redis tells all by itself'),
        ('prefetch', 'over Redis no more events are fetched than may run'),
        ('login_method', 'Redis has no login methods'),
    ):
        if key in config:
            raise config.error(key, f'expected nothing, for {why}; remove it, or use RabbitMQ')
    if _one_of(config, 'serializer', tuple(SERIALIZERS)) != 'lymph-msgpack':
        found = config.describe('serializer')
        raise config.error('serializer', f'expected lymph-msgpack over Redis, found {found}')
    for params in addresses:
        place = str(params.get('virtual_host') or '/').strip('/')
        if place and not (place.isascii() and place.isdecimal() and len(place) < _DIGITS):
            raise config.error(
                'virtual_host' if 'virtual_host' in config else 'urls',
                'expected the number of a database of Redis, as in redis://host:6379/0, found '
                'something else',
            )


def _visibility_timeout(config: ConfigView) -> float:
    """Return the one option of kombu's Redis transport that means something here."""
    options = config.view('transport_options')
    for name in options:
        if name != 'visibility_timeout':
            raise options.error([name], 'expected visibility_timeout alone over Redis; remove it')
    return options.get_float(
        'visibility_timeout', _VISIBILITY_TIMEOUT, minimum=1, maximum=_LONGEST_CONFIRM
    )
