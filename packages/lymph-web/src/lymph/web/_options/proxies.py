"""Proxies in front of the server: the keys `trusted_proxies` and `proxy_headers`."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lymph.config import ConfigView
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.web._answering.features import Features
from lymph.web._http.authorities import DEFAULT_PORTS
from lymph.web._http.environs import FROM_PROXY_KEY, RECEIVED_KEY
from lymph.web._proxies.believing import (
    Believed,
    believe_forwarded,
    believe_x_forwarded,
    nearest,
    prefix_in,
)
from lymph.web._proxies.nodes import parse_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['TrustedProxies']

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNIX: Final = 'unix'
_NAMES: Final = (
    'Forwarded',
    *(f'X-Forwarded-{what}' for what in ('For', 'Proto', 'Host', 'Port', 'Prefix')),
)
_ENVIRON: Final = {name: f'HTTP_{name.upper().replace("-", "_")}' for name in _NAMES}
_FORWARDED: Final = _ENVIRON['Forwarded']
_FOR, _PROTO, _HOST, _PORT, _PREFIX = (_ENVIRON[name] for name in _NAMES[1:])
_COMING_FIRST: Final = frozenset({_FOR, _PROTO, _HOST, _PORT})
_REMEMBERED: Final = 1024  # addresses


@dataclass(frozen=True)
class TrustedProxies:
    """From whom header fields about the client are believed, and which.

    ================  =======  =====================================================================
    key               default  meaning
    ================  =======  =====================================================================
    trusted_proxies   none     networks and addresses of proxies (``10.0.0.0/8``), and ``unix`` for
                               peers on a unix socket; without it, nothing is believed or removed
    proxy_headers     all      the header fields that are believed: ``Forwarded``,
                               ``X-Forwarded-For``, ``-Proto``, ``-Host``, ``-Port``, ``-Prefix``
    ================  =======  =====================================================================

    If any of the fields ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Port`` is there,
    ``Forwarded`` is ignored. What is not believed is removed.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('trusted_proxies', 'proxy_headers')

    networks: tuple[Network, ...]
    unix: bool = False
    believed: frozenset[str] = frozenset(_ENVIRON.values())
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_config(cls, view: ConfigView) -> TrustedProxies | None:
        """Read the keys. Raises ConfigurationError for invalid values."""
        listed = view.get_list('trusted_proxies', None)
        if listed is None:
            if view.get_raw('proxy_headers') is not None:
                raise view.error('proxy_headers', 'has no effect without trusted_proxies; set both')
            return None
        words = [_text(view, 'trusted_proxies', each) for each in listed]
        networks = tuple(_network(view, word) for word in words if word != _UNIX)
        return cls(networks, _UNIX in words, _headers(view))

    def features(self) -> Features:
        """Replace what proxies know better before anything reads it."""
        return Features(arriving=(self.arrive,))

    def trusts(self, address: str) -> bool:
        """Tell whether a proxy with this address is believed; unix sockets have none."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[address] = self._find(address)
        return known

    def arrive(self, environ: WSGIEnvironment) -> None:
        """Replace the addresses of a request by those of its client, if its peer is trusted."""
        trusted = self.trusts(environ.get('REMOTE_ADDR') or '')
        if trusted:
            environ[FROM_PROXY_KEY] = True
        said = {key: environ.pop(key) for key in _ENVIRON.values() if key in environ}
        if not said:
            return
        received = environ[RECEIVED_KEY] = dict(said)
        if not trusted:
            return
        said = {key: value for key, value in said.items() if key in self.believed}
        rfc = _FORWARDED in said and not _COMING_FIRST.intersection(said)
        if rfc:
            found = believe_forwarded(said[_FORWARDED], self.trusts)
        else:
            nodes, proto, host, port = (said.get(key, '') for key in (_FOR, _PROTO, _HOST, _PORT))
            found = believe_x_forwarded(nodes, proto, host, port, self.trusts)
        prefix = nearest(said.get(_PREFIX, ''), found.hops, prefix_in)
        changed = _changed(environ, found, prefix)
        for key in (*changed, 'REMOTE_PORT'):
            if key in environ:
                received[key] = environ[key]
        if found.client is not None:
            environ.pop('REMOTE_PORT', None)
        environ.update(changed)
        # put back what is believed, so that handlers cannot read the rest by mistake
        kept = {
            _FORWARDED: found.text if rfc else '',
            _FOR: found.text,
            _PROTO: found.scheme,
            _HOST: found.host,
            _PORT: found.port,
            _PREFIX: prefix,
        }
        environ.update({key: value for key in said if (value := kept[key])})

    def _find(self, address: str) -> bool:
        if not address or address.startswith(_UNIX):
            return self.unix
        parsed = parse_address(address.partition('%')[0])
        return parsed is not None and any(parsed in network for network in self.networks)


def _changed(environ: WSGIEnvironment, found: Believed, prefix: str | None) -> dict[str, Any]:
    """Return what replaces values of the environment."""
    changed: dict[str, Any] = {}
    if found.client is not None:
        changed['REMOTE_ADDR'] = found.client.address
        if found.client.port is not None:
            changed['REMOTE_PORT'] = found.client.port
    scheme = found.scheme or environ.get('wsgi.url_scheme', 'http')
    if found.scheme is not None:
        changed['wsgi.url_scheme'] = scheme
    host = found.host or environ.get('HTTP_HOST')
    if host and found.port is not None:
        host = _without_port(host)
        if found.port != str(DEFAULT_PORTS.get(scheme)):
            host = f'{host}:{found.port}'
    if host and (found.host is not None or found.port is not None):
        changed['HTTP_HOST'] = host
    if prefix is not None:
        changed['SCRIPT_NAME'] = prefix + environ.get('SCRIPT_NAME', '')
    return changed


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(':')
    return name if colon and port.isdigit() and not port.startswith(']') else host


def _network(view: ConfigView, text: str) -> Network:
    example = "expected networks such as '10.0.0.0/8', or 'unix'"
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        advice = ''
        with suppress(ValueError):  # an address in a network
            advice = f'; did you mean {str(ipaddress.ip_network(text, strict=False))!r}?'
        raise view.error('trusted_proxies', f'{example}, found {quoted(text)}{advice}') from None
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(f'{mapped}/{network.prefixlen - 96}')
    return network


def _headers(view: ConfigView) -> frozenset[str]:
    names = view.get_list('proxy_headers', None)
    if names is None:
        return frozenset(_ENVIRON.values())
    spelled = {name.lower(): name for name in _NAMES}
    found = set()
    for name in (_text(view, 'proxy_headers', each) for each in names):
        known = spelled.get(name.lower())
        if known is None:
            close = close_name(name, _NAMES)
            advice = f'; did you mean {close!r}?' if close else ''
            listed = ', '.join(_NAMES)
            raise view.error(
                'proxy_headers', f'expected some of {listed}, found {quoted(name)}{advice}'
            )
        found.add(_ENVIRON[known])
    return frozenset(found)


def _text(view: ConfigView, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise view.error(key, f'expected a list of text, found {quoted(value)} in it')
    return value
