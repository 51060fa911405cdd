"""Which web pages may send messages: the header ``Origin``.

Only browsers send it. A page of another site is refused, unless it is configured. The host that a
request names is no proof: by *DNS rebinding* a hostile page reaches this server under a name of its
own, and then both headers name that. So the same host is enough only where no DNS is involved (IP
addresses and ``localhost``), and for names in the key `hosts`: their owner has said that they lead
here. Source: the specification of 2025-11-25, basic/transports, "Security Warning".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from lymph.config.printable import quoted
from lymph.web._browsers.origins import AllowedOrigins, is_fixed
from lymph.web._http.authorities import DEFAULT_PORTS
from lymph.web._options.hosts import Hosts

__all__ = ['Origins']

_ANYBODY: Final = frozenset({'*', 'null'})


class Origins:
    """The origins that are configured, as `AllowedOrigins` reads them, and hosts of the gateway.

    Raises ValueError for an invalid one, and for ``*`` and ``null``: any page can have these.
    """

    def __init__(self, origins: Iterable[str] = (), hosts: Hosts | None = None) -> None:
        entries = list(origins)
        for entry in entries:
            if not _is_origin(entry):
                raise ValueError(
                    f'expected an origin like https://chat.example, found {quoted(entry)}'
                )
        self._allowed = AllowedOrigins.parse(entries)
        self._hosts = hosts

    def allows(self, origin: str | None, host: str | None, scheme: str = 'http') -> bool:
        """Tell whether a request with these headers, sent by `scheme`, may be answered."""
        if origin is None or self._allowed.allows(origin):
            return True
        page = _site(origin)
        if page is None or page != _site(origin, host or ''):
            return False
        return is_fixed(page[0]) or self._is_own(origin, host or '', scheme)

    def _is_own(self, origin: str, host: str, scheme: str) -> bool:
        # whoever can change what is sent in plain HTTP can make a page of any name
        if self._hosts is None or (scheme == 'https' and not origin.lower().startswith('https:')):
            return False
        return self._hosts.admits(host, scheme)


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
        port = DEFAULT_PORTS[found.scheme] if found.port is None else found.port
    except (KeyError, ValueError):
        return None
    bare = not (found.path or found.query or found.fragment or '@' in found.netloc)
    return (found.hostname, port) if found.hostname and bare else None
