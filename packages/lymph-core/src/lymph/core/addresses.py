"""Addresses as people write them: a host, or a host and a port, with IPv6 in brackets.

A host is an IPv4 address, an IPv6 address (with a scope, as in ``fe80::1%eth0``, or without), or a
host name. Host names are only checked for their form here: nothing in this file asks a resolver.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from lymph.config.printable import quoted

__all__ = [
    'Address',
    'check_host',
    'in_brackets',
    'is_loopback',
    'is_wildcard',
    'join_address',
    'numeric',
    'parse_address',
]

_LONGEST = 253  # characters of a host name: RFC 1035, 2.3.4
_LABEL = r'\w(?:[\w-]*\w)?'  # letters of all scripts; resolvers reject what they cannot look up
_NAME = re.compile(rf'{_LABEL}(?:\.{_LABEL})*\.?')
_SCOPE = re.compile(r'[\w.-]+')
# Resolvers also read 10.1, 010.0.0.1 and 0x7f000001 as IPv4 addresses, but differently.
_LOOKS_NUMERIC = re.compile(r'(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)\.?')
_WITH_PORT = re.compile(r'(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[^:]*))?')


class Address(NamedTuple):
    """A host, without brackets, and a port if one was given."""

    host: str
    port: int | None


def numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host is; None for a host name."""
    if '%' in host and not _SCOPE.fullmatch(host.partition('%')[2]):
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_host(text: object) -> str:
    """Return a host without brackets; raises ValueError for an invalid host."""
    if isinstance(text, str):
        host = text[1:-1] if text.startswith('[') and text.endswith(']') else text
        if numeric(host) is not None and (host == text or ':' in host):
            return host
        named = host == text and len(host) <= _LONGEST and _NAME.fullmatch(host)
        if named and not _LOOKS_NUMERIC.fullmatch(host):
            return host
    raise ValueError(f'expected an IP address or a host name, found {quoted(text)}')


def parse_address(text: object) -> Address:
    """Return the host and the port of an address; the port is None if it is left out.

    Raises ValueError for an invalid host, and for a port that is not from 1 to 65535.
    """
    if isinstance(text, str):
        if numeric(text) is not None:
            return Address(text, None)
        match = _WITH_PORT.fullmatch(text)
        if match is not None:
            port = match['port']
            if port is None:
                return Address(check_host(match['host']), None)
            if re.fullmatch('[0-9]{1,5}', port) and 0 < int(port) <= 65535:
                return Address(check_host(match['host']), int(port))
            raise ValueError(f'expected a port from 1 to 65535, found {quoted(port)}')
    raise ValueError(
        'expected a host and perhaps a port, such as 10.0.0.5, svc.example:4000 or '
        f'"[2001:db8::1]:4000", found {quoted(text)}'
    )


def in_brackets(host: str) -> str:
    """Return a host as it is written in a URL: IPv6 addresses in brackets (RFC 3986, 3.2.2)."""
    return f'[{host}]' if ':' in host else host


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, with an IPv6 address in brackets."""
    return f'{in_brackets(host)}:{port}'


def is_wildcard(host: str) -> bool:
    """Tell whether a host means all addresses of a machine (``0.0.0.0``, ``::``)."""
    address = _unmapped(host)
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """Tell whether a host means the machine that uses it (``127.*``, ``::1``, ``localhost``)."""
    address = _unmapped(host)
    if address is not None:
        return address.is_loopback
    name = host.lower().rstrip('.')
    return name == 'localhost' or name.endswith('.localhost')  # RFC 6761, 6.3


def _unmapped(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address of a host, an IPv4-mapped IPv6 address as IPv4; None for a name."""
    address = numeric(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped
