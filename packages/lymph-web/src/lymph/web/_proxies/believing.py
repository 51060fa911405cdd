"""How much of what proxies say is believed.

The right-most element was added by the peer. If the peer is trusted, so is that element; if the
address that the element names is trusted as well, so is the element to the left of it, and so on,
up to the first address that is not trusted: the client. Everything to the left of that is ignored,
and so is a malformed element with everything to the left of it.

::

    X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.0.0.2      peer 10.0.0.1; trusted 10.0.0.0/8
                     spoofed  client        proxy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar
from urllib.parse import unquote

from lymph.web._http.authorities import is_authority
from lymph.web._proxies.elements import forwarded_elements, list_items
from lymph.web._proxies.nodes import NetworkNode, is_hidden, parse_node

__all__ = ['Believed', 'believe_forwarded', 'believe_x_forwarded', 'nearest', 'prefix_in']

T = TypeVar('T')

_HOPS: Final = 64  # proxies in a row; more are not followed
_PREFIX: Final = 1024  # characters


@dataclass(frozen=True)
class Believed:
    """What is known of a client; None where nothing believable is said.

    `hops` is the number of proxies that are believed, 1 at least; `text` is the believed part of
    ``X-Forwarded-For`` or ``Forwarded``.
    """

    client: NetworkNode | None
    scheme: str | None
    host: str | None
    port: str | None
    hops: int
    text: str


def believe_x_forwarded(
    nodes: str, proto: str, host: str, port: str, is_trusted: Callable[[str], bool]
) -> Believed:
    """Return what ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Port`` say; empty: not sent.

    A proxy may add to the list in a field, or replace it. Of each list at most as many items
    as there are believed proxies are read.
    """
    client, hops, start = None, 0, len(nodes)
    for item, where in islice(list_items(nodes), _HOPS):
        node = parse_node(item)
        if node is None:
            break
        client, hops, start = node, hops + 1, where
        if not is_trusted(node.address):
            break
    hops = max(1, hops)
    return Believed(
        client,
        nearest(proto, hops, _scheme),
        nearest(host, hops, _authority),
        nearest(port, hops, _port),
        hops,
        nodes[start:].strip(' \t'),
    )


def believe_forwarded(text: str, is_trusted: Callable[[str], bool]) -> Believed:
    """Return what ``Forwarded`` says. Source: RFC 7239."""
    client, start = None, len(text)
    schemes: list[str] = []
    hosts: list[str] = []
    hops = 0
    for element in islice(forwarded_elements(text), _HOPS):
        name = element.pairs.get('for')
        node = None if name is None else parse_node(name)
        if name is not None and node is None and not is_hidden(name):
            break
        hops, start = hops + 1, element.start
        schemes += [element.pairs['proto']] if 'proto' in element.pairs else []
        hosts += [element.pairs['host']] if 'host' in element.pairs else []
        if node is None:
            break
        client = node
        if not is_trusted(node.address):
            break
    return Believed(
        client,
        _last(schemes, _scheme),
        _last(hosts, _authority),
        None,
        max(1, hops),
        text[start:].strip(' \t'),
    )


def nearest(text: str, hops: int, read: Callable[[str], T | None]) -> T | None:
    """Return the item of a list that is nearest to the client, of the last `hops`.

    Items are read from the right; those from the first malformed one on are ignored.
    """
    if ',' not in text:
        return read(text.strip(' \t'))
    return _last((item for item, _ in islice(list_items(text), hops)), read)


def prefix_in(text: str) -> str | None:
    """Return the path of ``X-Forwarded-Prefix`` as WSGI has it, None if it is not a plain path."""
    path = unquote(text, encoding='latin-1').rstrip('/')
    if not text.startswith('/') or text.startswith('//') or len(text) > _PREFIX:
        return None
    plain = all('\x20' <= char != '\x7f' and char not in '\\?#' for char in path)
    odd = {'', '.', '..'}.intersection(path.split('/')[1:])
    return path if plain and not odd else None


def _last(items: Iterable[str], read: Callable[[str], T | None]) -> T | None:
    last = None
    for item in items:
        value = read(item)
        if value is None:
            break
        last = value
    return last


def _scheme(text: str) -> str | None:
    scheme = text.lower()
    return scheme if scheme in ('http', 'https') else None


def _authority(text: str) -> str | None:
    return text if is_authority(text) else None


def _port(text: str) -> str | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535):
        return None
    return str(int(text))
