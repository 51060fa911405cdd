"""Nodes: clients and proxies, as ``X-Forwarded-For`` and ``Forwarded`` write them.

Source: RFC 7239, section 6, and what proxies write into ``X-Forwarded-For``.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ['NetworkNode', 'is_hidden', 'parse_address', 'parse_node']

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REMEMBERED: Final = (
    1024  # nodes; parsing an address costs as much as the rest of the header fields
)
_LONGEST: Final = 100  # characters; the longest address with a port has 53
_FORMS: Final = (
    re.compile(r'(?P<address>[0-9.]+)(?::(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]+))?'),
    re.compile(
        r'\[(?P<address>[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)\](?::(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]+))?'
    ),
    re.compile(r'(?P<address>[0-9A-Fa-f:.]+)(?P<port>)'),  # IPv6 without brackets
)
_HIDDEN: Final = re.compile(
    r'(?:unknown|_[A-Za-z0-9._-]+)(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?', re.IGNORECASE
)


class NetworkNode(NamedTuple):
    """An address in its usual form; a port where one is known."""

    address: str
    port: str | None = None


@lru_cache(_REMEMBERED)
def parse_node(text: str) -> NetworkNode | None:
    """Return the node that an element names, None if it names none: ``[2001:db8::1]:4711``."""
    if len(text) > _LONGEST:
        return None
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            address = parse_address(found['address'])
            if address is None:
                return None
            port = found['port']
            if not port or port.startswith('_'):
                return NetworkNode(str(address))
            return NetworkNode(str(address), port) if int(port) <= 65535 else None
    return None


def is_hidden(text: str) -> bool:
    """Tell whether a node has no address on purpose: ``unknown``, or a name such as ``_gazonk``."""
    return len(text) <= _LONGEST and _HIDDEN.fullmatch(text) is not None


def parse_address(text: str) -> Address | None:
    """Return an IP address; of an IPv4 address inside an IPv6 one, the former."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address
