"""URL maps: each interface has a map of its own, and binds it to each request.

Werkzeug's maps are mutable. An interface that adds rules to its `url_map` must not change the map
of its class, which other interfaces use too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.wsgi import get_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['bind', 'copied']

#: attributes with the structure of a map or a rule; others are values of the author
_OF_MAPS: Final = frozenset(vars(Map()))
_OF_RULES: Final = frozenset(vars(next(Map([Rule('/')]).iter_rules())))

_HOST: Final = 255  # characters of a host that is kept
_EMPTY: Final = Map()
_PORT: Final = re.compile(r'(.*?)(:[0-9]*)?', re.DOTALL)


def copied(source: Map, endpoint: Callable[[Any], Any]) -> Map:
    """Return a map with copies of the same rules, in the same order.

    `endpoint` returns the endpoint to use in place of one. Default values and what subclasses have
    added are the same objects. A map that cannot be copied, because a converter has an attribute
    that cannot, is returned as it is.
    """
    memo = {id(value): value for value in _given(source) if not isinstance(value, (Map, Rule))}
    for rule in source.iter_rules():
        memo[id(rule.endpoint)] = endpoint(rule.endpoint)
    lock = source.lock_class()
    for value in vars(source).values():
        if isinstance(value, type(lock)):
            memo[id(value)] = lock
    try:
        return copy.deepcopy(source, memo)
    except Exception:  # noqa: BLE001 - code of a converter
        return source


def bind(url_map: Map, environ: WSGIEnvironment, server_name: str | None = None) -> MapAdapter:
    """Return the map bound to a request.

    Rules with a subdomain need `server_name`, the host name that subdomains are part of. A request
    for another host has no subdomain. Raises BadRequest for an invalid host.
    """
    if server_name is None or url_map.host_matching:
        return _bound_quickly(url_map, environ) or url_map.bind_to_environ(environ)
    host, port = _PORT.fullmatch(get_host(environ).lower()).groups()  # type: ignore[union-attr]
    if host == server_name:
        subdomain = ''
    elif host.endswith(f'.{server_name}'):
        subdomain = host[: -len(server_name) - 1]
    else:
        # told the name, werkzeug would warn of each such host, and keep all warnings
        return url_map.bind_to_environ(environ)
    return url_map.bind_to_environ(environ, f'{server_name}{port or ""}', subdomain)


def _bound_quickly(url_map: Map, environ: WSGIEnvironment) -> MapAdapter | None:
    """Return what `bind_to_environ` does, in a fraction of its time; None for uncommon requests.

    Most of that time goes into the host, which is the same for most requests.
    """
    cls = type(url_map)
    host = environ.get('HTTP_HOST')
    if (
        (cls is not Map and (cls.bind is not Map.bind or _binds_itself(cls)))
        or host is None
        or len(host) > _HOST
        or url_map.host_matching
        or 'HTTP_UPGRADE' in environ
    ):
        return None
    path, query = environ.get('PATH_INFO', ''), environ.get('QUERY_STRING', '')
    script = environ.get('SCRIPT_NAME', '')
    if not (path.isascii() and query.isascii() and script.isascii()):
        return None
    scheme, method = environ['wsgi.url_scheme'], environ['REQUEST_METHOD']
    name = _server_name(host, scheme)
    return MapAdapter(url_map, name, script, '', scheme, path, method, query)


def _binds_itself(cls: type[Map]) -> bool:
    return cls.bind_to_environ is not Map.bind_to_environ


@lru_cache(256)
def _server_name(host: str, scheme: str) -> str:
    environ = {'HTTP_HOST': host, 'wsgi.url_scheme': scheme, 'REQUEST_METHOD': 'GET'}
    return _EMPTY.bind_to_environ(environ).server_name


def _given(source: Map) -> Iterator[Any]:
    yield from (value for name, value in vars(source).items() if name not in _OF_MAPS)
    for rule in source.iter_rules():
        for name, value in vars(rule).items():
            if name == 'redirect_to' or name not in _OF_RULES:
                yield value
        yield from (rule.defaults or {}).values()
