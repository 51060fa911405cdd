"""Endpoints as text: ``tcp://host:port`` and ``memory://name``."""

from __future__ import annotations

import re

from lymph.config.printable import quoted
from lymph.core.addresses import join_address, numeric

__all__ = ['endpoint_of', 'expect_address', 'join_tcp', 'scheme_of', 'split_tcp']

_TCP = re.compile(
    r'tcp://(?:\[(?P<v6>[0-9a-fA-F:.%\w-]+)\]|(?P<host>[^/:\[\]@\s]+)):(?P<port>[0-9]{1,5})'
)
_SCHEME = re.compile(r'([a-z][a-z0-9+.-]*)://')


def expect_address(address: object) -> None:
    """Raise TypeError unless `address` (the name of a service or an endpoint) is text."""
    if not isinstance(address, str):
        raise TypeError(
            f'expected the name of a service or an endpoint as text, found {quoted(address)}'
        )


def scheme_of(address: str) -> str | None:
    """Return the scheme of an endpoint, None for the name of a service.

    Raises TypeError for anything but text.
    """
    if type(address) is not str:
        expect_address(address)
    if '://' not in address:
        return None
    match = _SCHEME.match(address)
    return match[1] if match else None


def endpoint_of(address: str) -> str | None:
    """Return `address` if it is an endpoint, None if it is the name of a service.

    Raises TypeError for anything but text.
    """
    return None if scheme_of(address) is None else address


def split_tcp(endpoint: str) -> tuple[str, int]:
    """Return host and port of a ``tcp://`` endpoint, an IPv6 address without its brackets.

    Raises ValueError for other text and for ports above 65535.
    """
    match = _TCP.fullmatch(endpoint)
    if match is not None and int(match['port']) <= 65535:
        host, port = match['v6'] or match['host'], int(match['port'])
        # the pattern also matches invalid IPv6 addresses; `numeric` decides
        if host.isprintable() and (match['v6'] is None or (':' in host and numeric(host))):
            return host, port
    raise ValueError(
        'expected an endpoint like tcp://127.0.0.1:4123 or tcp://[::1]:4123, '
        f'found {quoted(endpoint)}'
    )


def join_tcp(host: str, port: int) -> str:
    """Return the ``tcp://`` endpoint of a host name or IP address and a port."""
    return f'tcp://{join_address(host, port)}'
