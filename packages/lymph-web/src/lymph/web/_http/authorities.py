"""Which text names the host of a request, in a Host header field or in front of a path.

Source: RFC 3986, section 3.2.2, and RFC 9110, section 7.2; names as the DNS has them (letters,
digits, dashes, and the underscore of container networks) and no others, since what is to the right
of a comma, an `@` or a backslash is the host for one server and not for the next.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

__all__ = ['DEFAULT_PORTS', 'is_authority', 'same_authority']

#: the ports of schemes, which may be left out
DEFAULT_PORTS: Final = {'http': 80, 'https': 443}

_NAME = r'[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?'
_AUTHORITY = re.compile(
    rf'(?:(?P<name>{_NAME})|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]+))?'
)
_LENGTH = 255 + len(':65535')


def is_authority(text: str) -> bool:
    """Tell whether `text` is a host, and a port if any; an IPv6 address has brackets."""
    found = _AUTHORITY.fullmatch(text) if len(text) <= _LENGTH else None
    if found is None:
        return False
    if found['ipv6'] is not None and not _is_ipv6(found['ipv6']):
        return False
    return found['port'] is None or 0 < int(found['port']) <= 65535


def same_authority(one: str, other: str, scheme: str) -> bool:
    """Tell whether two authorities are one; the port of `scheme` may be left out."""
    return _normal(one, scheme) == _normal(other, scheme)


def _normal(authority: str, scheme: str) -> str:
    return authority.lower().removesuffix(f':{DEFAULT_PORTS[scheme]}')


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
