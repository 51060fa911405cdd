"""The host names under which an interface answers: the key `hosts`.

A browser takes a page of `evil.example` and this server for one origin if the owner of that name
makes it lead here (*DNS rebinding*). The page may then send and read anything, but its requests
name `evil.example` as their host.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.web._answering.features import Features
from lymph.web._http.authorities import DEFAULT_PORTS, is_authority

__all__ = ['Hosts', 'MisdirectedRequest']

Place = tuple[str, int | None]  # a name, and a port; None: any port

_KEY: Final = 'hosts'
_WILD: Final = '*.'
_REMEMBERED: Final = 1024  # hosts of requests


class MisdirectedRequest(HTTPException):
    """The server does not answer under the host of the request (RFC 9110, section 15.5.20)."""

    code = 421


@dataclass(frozen=True)
class Hosts:
    """Which hosts requests may name, behind trusted proxies the one that the client has named.

    =========================  =====================================================================
    entry                      admits
    =========================  =====================================================================
    ``api.example.org``        this name, with any port
    ``api.example.org:8443``   this name with this port; that of the scheme may be left out
    ``*.example.org``          every name below example.org, at any depth, but not example.org
    ``10.0.0.1``, ``[::1]``    these addresses
    =========================  =====================================================================

    Case, a dot at the end, and the way to write an IPv6 address make no difference.
    """

    KEYS: ClassVar[tuple[str, ...]] = (_KEY,)

    exact: frozenset[Place]
    below: frozenset[Place] = frozenset()
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_config(cls, view: ConfigView) -> Hosts | None:
        """Read the key. Raises ConfigurationError for invalid values."""
        entries = view.get_list(_KEY, None)
        if entries is None:
            return None
        if not entries:
            raise view.error(
                _KEY, "expected hosts such as 'api.example.org', found none; leave it out for all"
            )
        exact, below = set(), set()
        for number, entry in enumerate(entries):
            fault = _fault_of(entry)
            if fault:
                raise view.error([_KEY, str(number)], fault)
            if entry.startswith(_WILD):
                below.add(_place(entry.removeprefix(_WILD)))
            else:
                exact.add(_place(entry))
        return cls(frozenset(exact), frozenset(below))

    def features(self) -> Features:
        """Refuse other hosts before anything looks at the request."""
        return Features(preceding=(self.precede,))

    def precede(self, request: Request) -> None:
        """Raise MisdirectedRequest unless the request names a host that is admitted."""
        environ = request.environ
        host = environ.get('HTTP_HOST')
        if not host:
            raise MisdirectedRequest('The request does not say for which host it is.')
        if not self.admits(host, environ['wsgi.url_scheme']):
            raise MisdirectedRequest(f'This server does not answer for the host {quoted(host)}.')

    def admits(self, host: str, scheme: str) -> bool:
        """Tell whether `host`, the text of a Host field, is one of these."""
        known = self._known.get((host, scheme))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[host, scheme] = self._find(host, scheme)
        return known

    def _find(self, host: str, scheme: str) -> bool:
        if not is_authority(host):  # under another server; lymph's own refuses it
            return False
        name, port = _place(host)
        if port is None:
            port = DEFAULT_PORTS.get(scheme)
        if not self.exact.isdisjoint({(name, None), (name, port)}):
            return True
        while self.below and '.' in name:
            name = name.partition('.')[2]
            if not self.below.isdisjoint({(name, None), (name, port)}):
                return True
        return False


def _place(authority: str) -> Place:
    """Return the name, in its normal form, and the port of a valid authority."""
    name, colon, port = authority.lower().rpartition(':')
    if not colon or port.endswith(']'):
        name, port = authority.lower(), ''
    if name.startswith('['):
        name = f'[{ipaddress.IPv6Address(name[1:-1])}]'
    return name.removesuffix('.'), int(port) if port else None


def _fault_of(entry: object) -> str | None:
    """Return what is wrong with an entry of the list, None if nothing is."""
    expected = "expected a host such as 'api.example.org' or '*.example.org'"
    found = f'found {quoted(entry)}'
    if not isinstance(entry, str):
        return f'{expected}, {found}; put it in quotes'
    if entry == '*':
        return f"{expected}, found '*'; leave the key out to answer for all"
    if '://' in entry:
        return f'{expected}, found the URL {quoted(entry)}; only its host is compared'
    host = entry.removeprefix(_WILD)
    if not is_authority(host):
        return f'{expected}, {found}{_advice(host)}'
    name = _place(host)[0]
    if host != entry and (name.startswith('[') or name.rpartition('.')[2].isdigit()):
        return f'{expected}, {found}; nothing is below an address'
    return None


def _advice(host: str) -> str:
    with suppress(ValueError):
        return f"; write '[{ipaddress.IPv6Address(host)}]'"
    if not host.isascii():
        with suppress(UnicodeError):
            return f'; write it as browsers send it: {quoted(host.encode("idna").decode())}'
    return ''
