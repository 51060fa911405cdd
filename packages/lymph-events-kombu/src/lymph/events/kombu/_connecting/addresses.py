"""Parse the addresses of brokers in the configuration: URLs, hosts, and lists of them."""

from __future__ import annotations

from typing import Any

from kombu.utils.url import parse_url

from lymph.core.addresses import parse_address
from lymph.events.kombu._connecting.options import read_seconds

__all__ = ['AMQP', 'REDIS', 'TLS', 'TRANSPORTS', 'clean', 'parse', 'scheme_of', 'split']

AMQP = ('amqp', 'amqps', 'pyamqp')
REDIS = ('redis', 'rediss')
TLS = ('amqps', 'rediss')
TRANSPORTS = (*AMQP, *REDIS)

_QUERY = ('connect_timeout', 'heartbeat')  # the options allowed in the query of a URL
_EXPECTED = (
    'expected a host and perhaps a port, such as rabbit1:5672, or a URL such as '
    'amqp://user:password@host:port/virtual_host, found something else'
)
_COMMA = (
    'expected several addresses to be separated by semicolons or to be a list, found a comma; '
    'write one that belongs to a virtual host as %2C'
)
_PARTS = ('hostname', 'password', 'port', 'userid', 'virtual_host')


def split(value: object) -> list[str]:
    """Return the addresses in a semicolon-separated text, or in a list of such texts.

    Spaces around addresses and empty addresses are removed. Raises ValueError if no address is
    left, and for values of other types.
    """
    texts = value if isinstance(value, list) else [value]
    # Empty parts between semicolons are harmless, but an empty item of a list is a mistake.
    if all(isinstance(each, str) and each.strip() for each in texts):
        found = [each.strip() for text in texts for each in str(text).split(';')]
        if any(found):
            return [each for each in found if each]
    raise ValueError('expected one address or more, each as text')


def clean(transport: str) -> str:
    """Return the name of a transport in kombu's spelling: without spaces, in lower case."""
    return transport.strip().lower()


def scheme_of(address: str) -> str | None:
    """Return the scheme of a URL in lower case, or None for a host."""
    return clean(address.partition('://')[0]) if '://' in address else None


def parse(address: str) -> dict[str, Any]:
    """Return the arguments of `kombu.Connection` that an address sets.

    Raises ValueError for an invalid address or option. The text of the error never quotes the
    address, which may contain a password.
    """
    scheme = scheme_of(address)
    if ',' in address.rpartition('@')[2]:
        raise ValueError(_COMMA)
    if scheme is None:
        try:
            return _host(address)
        except ValueError:
            raise ValueError(_EXPECTED) from None
    rest = address.partition('://')[2]
    if not _is_plain(rest):
        raise ValueError(_expected(scheme))
    try:
        parts = parse_url(f'{scheme}://{rest}')
    except (ValueError, LookupError, TypeError):  # TypeError: the query repeats another part
        raise ValueError(_expected(scheme)) from None
    authority, _, path = rest.partition('/')
    if '@' in path and '@' not in authority:
        raise ValueError(_expected(scheme))  # a slash in the password
    given = {name: value for name, value in parts.items() if name in _PARTS and value is not None}
    for name in parts:
        if name in _QUERY:
            given[name] = read_seconds(parts, name)
        elif name not in (*_PARTS, 'transport'):
            raise ValueError(f'expected no option {name!r} in a URL; remove it')
    if given.get('port') == 0:
        raise ValueError(_expected(scheme))
    try:
        return {**given, **_host(given.pop('hostname', None) or 'localhost')}
    except ValueError:
        raise ValueError(_expected(scheme)) from None


def _host(text: str) -> dict[str, Any]:
    host, port = parse_address(text)
    return {'hostname': host} if port is None else {'hostname': host, 'port': port}


def _is_plain(rest: str) -> bool:
    """Return whether the parser uses everything after the scheme and ignores no part of it."""
    # kombu's parser drops a fragment, and options without a name or a value.
    query = rest.rpartition('?')[2] if '?' in rest else None
    options = [] if query is None else [each.partition('=') for each in query.split('&')]
    return (
        rest.isprintable() and '#' not in rest and all(name and value for name, _, value in options)
    )


def _expected(scheme: str) -> str:
    place = 'database' if scheme in REDIS else 'virtual_host'
    return (
        f'expected {scheme}://user:password@host:port/{place}, found something else; '
        'write / : @ ? and # in a user, password or virtual host as %2F %3A %40 %3F and %23'
    )
