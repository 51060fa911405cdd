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
from typing import Final
from urllib.parse import urlsplit

from lymph.config.printable import quoted
from lymph.web._browsers.origins import AllowedOrigins

__all__ = ['Origins']

_ANYBODY: Final = frozenset({'*', 'null'})
_PORTS: Final = {'http': 80, 'https': 443}


class Origins:
    """The origins that are configured, as `AllowedOrigins` reads them.

    Raises ValueError for an invalid one, and for ``*`` and ``null``: any page can have these.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        entries = list(origins)
        for entry in entries:
            if not _is_origin(entry):
                raise ValueError(
                    f'expected an origin like https://chat.example, found {quoted(entry)}'
                )
        self._allowed = AllowedOrigins.parse(entries)

    def allows(self, origin: str | None, host: str | None) -> bool:
        """Tell whether a request with these headers may be answered."""
        if origin is None or self._allowed.allows(origin):
            return True
        page = _site(origin)
        return page is not None and _is_fixed(page[0]) and page == _site(origin, host or '')


def _is_origin(entry: object) -> bool:
    if not isinstance(entry, str) or entry.lower() in _ANYBODY:
        return False
    try:
        AllowedOrigins.parse([entry])
    except ValueError:
        return False
    return True


def _site(origin: str, host: str | None = None) -> tuple[str, int] | None:
    """Return host and port of an origin, or of `host` if a request comes by the same scheme."""
    scheme, _, netloc = origin.partition('://')
    try:
        found = urlsplit(f'{scheme}://{netloc if host is None else host}')
        port = _PORTS[found.scheme] if found.port is None else found.port
    except (KeyError, ValueError):
        return None
    bare = not (found.path or found.query or found.fragment or '@' in found.netloc)
    return (found.hostname, port) if found.hostname and bare else None


def _is_fixed(hostname: str) -> bool:
    """Tell whether nobody can make a name lead elsewhere."""
    if hostname == 'localhost' or hostname.endswith('.localhost'):
        return True
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True
