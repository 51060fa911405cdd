"""The section `container.events` of a configuration, for `class: kombu`. Source: manual, 4.2.3.

Own keys are read here; every other key is an argument of `kombu.Connection`, and one that it does
not have is an error.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kombu.connection import Connection
from kombu.utils.url import parse_url

from lymph.config import ConfigView
from lymph.events.kombu.brokers import Broker
from lymph.events.kombu.serializers import SERIALIZERS
from lymph.events.kombu.tls import OPTIONS, REQUIREMENTS

__all__ = ['QUEUE_TYPES', 'Settings']

QUEUE_TYPES = ('quorum', 'classic')
_AMQP = ('amqp', 'amqps', 'pyamqp')
_REDIS = ('redis', 'rediss')
_TLS = ('amqps', 'rediss')
_SHUFFLE, _ROUND_ROBIN = 'shuffle', 'round-robin'

_OWN = frozenset(
    ('class', 'confirm_timeout', 'exchange', 'prefetch', 'queue_type', 'serializer', 'urls')
)
_KOMBU = frozenset(inspect.signature(Connection.__init__).parameters) - {'self', 'kwargs'}

_SECONDS = ('connect_timeout', 'heartbeat')
_HEARTBEAT = 10.0  # seconds; a dead connection is noticed after two of them
_CONNECT_TIMEOUT = 5.0
_VISIBILITY_TIMEOUT = 30.0


@dataclass(frozen=True)
class Settings:
    """What the event system has to know.

    ==================  ======================================================================
    brokers             the addresses, tried in this order
    redis               instead of them: the arguments of `kombu.Connection` for each Redis
    shuffle             tried in any order instead
    exchange            the topic exchange; other names begin with it
    queue_type          ``quorum`` (default) or ``classic``
    serializer          ``lymph-msgpack`` (default) or ``lymph-json``
    confirm_timeout     seconds until an event that is not confirmed is an error (default 10)
    prefetch            events fetched ahead for each handler; None: as many as may run
    visibility_timeout  Redis: seconds after which a silent instance is dead (default 30)
    ==================  ======================================================================
    """

    brokers: tuple[Broker, ...]
    shuffle: bool = False
    exchange: str = 'lymph'
    queue_type: str = 'quorum'
    serializer: str = 'lymph-msgpack'
    confirm_timeout: float = 10.0
    prefetch: int | None = None
    redis: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    visibility_timeout: float = _VISIBILITY_TIMEOUT

    @classmethod
    def from_config(cls, config: ConfigView) -> Settings:
        """Read a section; raises ConfigurationError for what cannot be meant."""
        _refuse_unknown(config)
        addresses = list(_addresses(config))
        over_redis = addresses[0].pop('transport') in _REDIS
        for params in addresses[1:]:
            if (params.pop('transport') in _REDIS) != over_redis:
                raise config.error('urls', 'expected RabbitMQ or Redis, found both; keep one')
        if over_redis:
            _check_redis(config, addresses)
        settings = cls(
            brokers=() if over_redis else tuple(Broker(params) for params in addresses),
            redis=tuple(addresses) if over_redis else (),
            visibility_timeout=_visibility_timeout(config) if over_redis else _VISIBILITY_TIMEOUT,
            shuffle=_one_of(config, 'failover_strategy', (_ROUND_ROBIN, _SHUFFLE)) == _SHUFFLE,
            queue_type=_one_of(config, 'queue_type', QUEUE_TYPES),
            serializer=_one_of(config, 'serializer', tuple(SERIALIZERS)),
            exchange=config.get_str('exchange', cls.exchange),
            confirm_timeout=config.get_float('confirm_timeout', cls.confirm_timeout),
            prefetch=config.get_int('prefetch', None),
        )
        if not settings.exchange or settings.exchange.startswith('amq.'):
            raise config.error(
                'exchange', f'expected a name of its own, found {settings.exchange!r}'
            )
        if settings.confirm_timeout <= 0:
            raise config.error(
                'confirm_timeout', f'expected seconds, found {settings.confirm_timeout:g}'
            )
        if settings.prefetch is not None and not 1 <= settings.prefetch <= 65535:
            raise config.error('prefetch', f'expected 1 to 65535, found {settings.prefetch}')
        return settings


def _refuse_unknown(config: ConfigView) -> None:
    known = _OWN | _KOMBU
    for key in config:
        if key not in known:
            close = difflib.get_close_matches(key, sorted(known), n=1)
            advice = f'did you mean {close[0]!r}?' if close else 'remove it'
            raise config.error(
                [key],
                'expected a key of the kombu event system or an argument of kombu.Connection, '
                f'found neither; {advice}',
            )


def _one_of(config: ConfigView, key: str, allowed: tuple[str, ...]) -> str:
    value = config.get_str(key, allowed[0])
    if value not in allowed:
        raise config.error(key, f'expected {" or ".join(allowed)}, found {value!r}')
    return value


def _addresses(config: ConfigView) -> Iterator[dict[str, Any]]:
    """Yield the arguments of `kombu.Connection` for each address."""
    transport = config.get_str('transport', 'amqp')
    _check_transport(config, 'transport', transport)
    common: dict[str, Any] = {
        'heartbeat': _HEARTBEAT,
        'connect_timeout': _CONNECT_TIMEOUT,
        **{key: config.get_raw([key]) for key in config if key in _KOMBU},
        **_numbers(config),
    }
    for key in ('hostname', 'alternates', 'failover_strategy', 'urls'):
        common.pop(key, None)
    common['transport'] = transport
    common['ssl'] = _tls(config) or transport in _TLS
    key = 'urls' if 'urls' in config else 'hostname'
    if key == 'urls' and 'hostname' in config:
        raise config.error('urls', 'expected either urls or hostname, found both; keep one')
    for place, address in (*_texts(config, key), *_texts(config, 'alternates')):
        yield {**common, **_parts(config, place, address)}


def _numbers(config: ConfigView) -> dict[str, Any]:
    """Return the numbers among the arguments; those of the environment are text."""
    found: dict[str, Any] = {}
    if config.get('port') is not None:
        found['port'] = config.get_int('port')
    for key in _SECONDS:
        if config.get(key) is not None:
            found[key] = config.get_float(key)
    return found


def _texts(config: ConfigView, key: str) -> Iterator[tuple[str, str]]:
    """Yield the addresses at a key: one, several parted by semicolons, or a list."""
    value = config.get_raw(key)
    if value is None:
        if key == 'hostname':
            yield key, ''
        return
    addresses = value if isinstance(value, list) else str(value).split(';')
    if not addresses or not all(isinstance(each, str) and each for each in addresses):
        raise config.error(key, 'expected one address or more, each as text')
    yield from ((key, each) for each in addresses)


def _parts(config: ConfigView, key: str, address: str) -> dict[str, Any]:
    if '://' not in address:
        return {'hostname': address or 'localhost'}
    scheme = address.partition('://')[0]
    place = 'database' if scheme in _REDIS else 'virtual_host'
    _check_transport(config, key, scheme)
    try:
        parts = parse_url(address)
        given = {name: value for name, value in parts.items() if value is not None}
        given |= {name: float(given[name]) for name in _SECONDS if name in given}
    except ValueError:
        # the cause may quote a part of the password
        raise config.error(
            key,
            f'expected {scheme}://user:password@host:port/{place}, found something else; '
            'write / : @ and ? in a user or password as %2F %3A %40 and %3F',
        ) from None
    unknown = sorted(set(given) - _KOMBU)
    if unknown:
        raise config.error(key, f'expected no option {unknown[0]!r} in a URL; remove it')
    if scheme in _TLS:
        given['ssl'] = _tls(config) or True
    return given


def _check_transport(config: ConfigView, key: str, transport: str) -> None:
    if transport not in (*_AMQP, *_REDIS):
        raise config.error(
            key,
            f'expected {", ".join((*_AMQP, *_REDIS))}, found {transport!r}: other transports of '
            'kombu cannot confirm what they take, keep no dead letters and lose events with their '
            'connection; use RabbitMQ or Redis, or class: embedded on one machine',
        )


def _check_redis(config: ConfigView, addresses: list[dict[str, Any]]) -> None:
    """Refuse what cannot be had over Redis."""
    for key, why in (
        ('queue_type', 'Redis has one type of queues, which is not replicated by a quorum'),
        ('prefetch', 'over Redis no more events are fetched than may run'),
        ('login_method', 'Redis has no login methods'),
    ):
        if key in config:
            raise config.error(key, f'expected nothing, for {why}; remove it, or use RabbitMQ')
    if config.get('serializer', 'lymph-msgpack') != 'lymph-msgpack':
        raise config.error(
            'serializer', f'expected lymph-msgpack over Redis, found {config.get("serializer")!r}'
        )
    for params in addresses:
        place = str(params.get('virtual_host') or '/').strip('/')
        if place and not place.isdecimal():
            raise config.error(
                'virtual_host' if 'virtual_host' in config else 'urls',
                'expected the number of a database of Redis, as in redis://host:6379/0, found '
                'something else',
            )


def _visibility_timeout(config: ConfigView) -> float:
    """Return the one option of kombu's Redis transport that means something here."""
    options = config.get_raw('transport_options') or {}
    for name in options:
        if name != 'visibility_timeout':
            raise config.error(
                ['transport_options', name],
                'expected visibility_timeout alone over Redis; remove it',
            )
    timeout = config.view('transport_options').get_float('visibility_timeout', _VISIBILITY_TIMEOUT)
    if not 1 <= timeout <= 86400:
        raise config.error(
            'transport_options.visibility_timeout',
            f'expected 1 to 86400 seconds, found {timeout:g}',
        )
    return timeout


def _tls(config: ConfigView) -> Any:
    """Return `ssl` as it is meant: false, true or a mapping of known options."""
    value = config.get_raw('ssl', False)
    if not isinstance(value, Mapping):
        return config.get_bool('ssl', False)
    unknown = sorted(set(value) - OPTIONS)
    if unknown:
        raise config.error(
            ['ssl', unknown[0]], f'expected one of {", ".join(sorted(OPTIONS))}; remove it'
        )
    needed = value.get('cert_reqs', 'required')
    if isinstance(needed, str) and needed.lower().removeprefix('cert_') not in REQUIREMENTS:
        raise config.error(
            'ssl.cert_reqs', f'expected {" or ".join(REQUIREMENTS)}, found {needed!r}'
        )
    return dict(value)
