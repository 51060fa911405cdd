"""Origins of web pages: which ones a list of them allows. Source: RFC 6454 and the Fetch Standard.

=============================  =====================================================================
entry                          allows
=============================  =====================================================================
``https://shop.example.org``   this origin; the port may be left out if it is that of the scheme
``https://*.example.org``      every host below example.org, at any depth, but not example.org
``null``                       pages without an origin, such as local files and sandboxed frames
``*``                          every origin
=============================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from lymph.web._http.authorities import DEFAULT_PORTS, is_authority

__all__ = ['AllowedOrigins', 'is_fixed']

_ORIGIN: Final = re.compile(r'(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<wild>\*\.)?(?P<host>[^/*]+)')
_BELOW: Final = r'(?:[a-z0-9_-]+\.)+'
_LONGEST: Final = 300  # characters of an origin


@dataclass(frozen=True)
class AllowedOrigins:
    """A set of origins, as `parse` reads it."""

    exact: frozenset[str]
    patterns: tuple[re.Pattern[str], ...] = ()
    every: bool = False

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowedOrigins:
        """Return the set that entries describe; raises ValueError for one that is no origin."""
        exact, patterns, every = set(), [], False
        for entry in entries:
            text = entry.lower()
            found = _ORIGIN.fullmatch(text)
            if text == '*':
                every = True
            elif text == 'null':
                exact.add(text)
            elif found is None or not is_authority(found['host']):
                raise ValueError(entry)
            else:
                host = found['host'].removesuffix(f':{DEFAULT_PORTS.get(found["scheme"])}')
                if found['wild'] is None:
                    exact.add(f'{found["scheme"]}://{host}')
                else:
                    start, end = re.escape(f'{found["scheme"]}://'), re.escape(host)
                    patterns.append(re.compile(start + _BELOW + end))
        return cls(frozenset(exact), tuple(patterns), every)

    def allows(self, origin: str) -> bool:
        """Tell whether `origin`, as a browser sends it, is in the set."""
        if self.every:
            return True
        text = origin.lower()
        if text in self.exact:
            return True
        return len(text) <= _LONGEST and any(each.fullmatch(text) for each in self.patterns)


def is_fixed(hostname: str) -> bool:
    """Tell whether nobody can make a name lead elsewhere: `localhost`, or an IP address."""
    if hostname == 'localhost' or hostname.endswith('.localhost'):
        return True
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True
