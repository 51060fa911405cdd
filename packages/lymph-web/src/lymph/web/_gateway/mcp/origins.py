"""Which web pages may send messages: the header ``Origin``.

Only browsers send it. A page of another site is refused, unless it is configured. The host that a
request names is no proof: by *DNS rebinding* a hostile page reaches this server under a name of its
own, and then both headers name that. So the same host is enough only where no DNS is involved: for
IP addresses, and for ``localhost``. Source: the specification of 2025-11-25, basic/transports,
"Security Warning".
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

__all__ = ['Origins', 'check_origin']

_PORTS = {'http': 80, 'https': 443}


class Origins:
    """The origins that are configured. Raises ValueError for one that is invalid."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._allowed = frozenset(map(check_origin, origins))

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Tell whether a request with these headers may be answered."""
        if origin is None:
            return True
        found = _split(origin)
        if found is None:
            return False
        if _normal(found) in self._allowed:
            return True
        here = _split(f'{found.scheme}://{host}')
        return here is not None and _normal(found) == _normal(here) and _is_fixed(found.hostname)


def check_origin(origin: object) -> str:
    """Return an origin in its normal form. Raises ValueError unless it is like https://a.example."""
    found = _split(origin) if isinstance(origin, str) else None
    if found is None:
        raise ValueError(f'expected an origin like https://chat.example, found {origin!r}')
    return _normal(found)


def _split(origin: str) -> SplitResult | None:
    try:
        found = urlsplit(origin)
        port_fits = found.port is None or found.port > 0
    except ValueError:
        return None
    bare = found.scheme + '://' + found.netloc
    fits = found.scheme in _PORTS and found.hostname and '@' not in found.netloc
    return found if fits and port_fits and bare.lower() == origin.lower() else None


def _normal(found: SplitResult) -> str:
    return f'{found.scheme}://{found.hostname}:{found.port or _PORTS[found.scheme]}'


def _is_fixed(hostname: str | None) -> bool:
    if hostname is None:
        return False
    if hostname == 'localhost' or hostname.endswith('.localhost'):
        return True
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True
