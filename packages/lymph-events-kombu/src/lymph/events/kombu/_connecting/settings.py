"""The settings in `container.events` that both brokers share. Source: the manual, 4.2.3.

This module and the settings of each broker read lymph's own keys. All other keys have to be
arguments of `kombu.Connection`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from lymph.events.kombu._connecting.options import ARGUMENTS, read_arguments, read_tls

__all__ = [
    'LONGEST_CONFIRM',
    'Addresses',
    'is_exchange',
    'read_confirm_timeout',
    'read_exchange',
    'read_shuffle',
]

LONGEST_CONFIRM = 24 * 3600  #: seconds

_SHUFFLE, _ROUND_ROBIN = 'shuffle', 'round-robin'
_CONFIRM_TIMEOUT = 10.0  # seconds
_LONGEST_EXCHANGE = 100  # bytes; AMQP limits the names that begin with it to 255
_OWN = frozenset(
    (
        *('class', 'confirm_timeout', 'exchange', 'management', 'prefetch', 'queue_type'),
        *('serializer', 'urls'),
    )
)
# names that lymph or RabbitMQ reserve
_TAKEN = re.compile(r'(.*\.)?lymph\.(dead|delay|delayed|queues)|amq\..*', re.DOTALL)


@dataclass(frozen=True)
class Addresses:
    """The brokers of a section, all of one kind.

    `redis` is true for Redis, false for RabbitMQ. `arguments` has those of `kombu.Connection` for
    each address, without the transport. They contain passwords.
    """

    redis: bool
    arguments: tuple[dict[str, Any], ...]

    @classmethod
    def from_config(cls, config: ConfigView) -> Addresses:
        """Return the addresses in a section.

        Raises ConfigurationError for unknown keys, for invalid addresses and arguments, and for
        addresses of both RabbitMQ and Redis.
        """
        _refuse_unknown(config)
        found = list(_read(config))
        kinds = {arguments.pop('transport') in REDIS for arguments in found}
        if len(kinds) > 1:
            raise config.error('urls', 'expected RabbitMQ or Redis, found both; keep one')
        return cls(kinds.pop(), tuple(found))

    def __repr__(self) -> str:
        return f'<Addresses of {"Redis" if self.redis else "RabbitMQ"}: {len(self.arguments)}>'


def read_shuffle(config: ConfigView) -> bool:
    """Return whether to try the addresses in random order; by default in the configured order."""
    return config.get_choice('failover_strategy', (_ROUND_ROBIN, _SHUFFLE), _ROUND_ROBIN) == (
        _SHUFFLE
    )


def read_confirm_timeout(config: ConfigView) -> float:
    """Return the time in seconds within which an event has to be confirmed; 10 by default."""
    return config.get_seconds('confirm_timeout', _CONFIRM_TIMEOUT, maximum=LONGEST_CONFIRM)


def read_exchange(
    config: ConfigView, default: str, allowed: Callable[[str], bool] = lambda name: True
) -> str:
    """Return `exchange`, the name that keeps systems at one broker apart.

    `allowed(name)` is the broker's own rule. Raises ConfigurationError for a reserved name, for a
    name of more than 100 bytes, and for one that is not allowed.
    """
    exchange = config.get_line('exchange', default)
    fits = is_exchange(exchange) and len(exchange.encode()) <= _LONGEST_EXCHANGE
    if not (fits and allowed(exchange)):
        found = config.describe('exchange')
        raise config.error(
            'exchange',
            f'expected a name of its own, at most {_LONGEST_EXCHANGE} bytes, found {found}',
        )
    return exchange


def is_exchange(name: str) -> bool:
    """Return whether a system may call its exchange `name`: lymph and RabbitMQ reserve some."""
    return _TAKEN.fullmatch(name) is None


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


def _read(config: ConfigView) -> Iterator[dict[str, Any]]:
    transport = clean(config.get_line('transport', 'amqp'))
    _check_transport(config, 'transport', transport)
    tls = read_tls(config)
    common = {**read_arguments(config), 'transport': transport, 'ssl': tls or transport in TLS}
    given = {key: config.get_raw(key) for key in ('urls', 'hostname', 'alternates')}
    if given['urls'] is not None and given['hostname'] is not None:
        raise config.error('urls', 'expected either urls or hostname, found both; keep one')
    # `alternates` are tried after either of them, and after the default host too.
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
    # A URL sets its own transport and a host takes that of the section. `ssl` comes from the
    # section unless the scheme demands TLS: `amqp://` does not turn it off.
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
