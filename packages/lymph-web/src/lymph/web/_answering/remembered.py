"""The routes of the URLs that were asked for before.

Matching a URL again gives the same endpoint and the same values as long as the map is the same and
all its converters are werkzeug's own, which compute nothing else. The memory is bounded, and
nothing is kept of URLs that do not match.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from werkzeug.routing import Map, Rule

from lymph.core._system.private_parts import as_expected

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['RememberedRoutes']

_MOST: Final = 1024
_PATH: Final = 200  # characters of a path that is kept

Route = tuple[Any, Mapping[str, Any]]

#: set when a rule is added to a map, cleared at its next match
_TELLS_CHANGES: Final = as_expected('werkzeug', 'Map._remap', lambda: hasattr(Map(), '_remap'))


class RememberedRoutes:
    """What URLs of one map have matched."""

    def __init__(self) -> None:
        self._map: Map | None = None  # None if nothing is kept of it
        self._routes: dict[tuple[str, str], Route] = {}

    def get(self, url_map: Map, environ: WSGIEnvironment) -> Route | None:
        """Return endpoint and values of a request; None if they are not known."""
        if not _TELLS_CHANGES:
            return None
        if url_map is not self._map or url_map._remap:  # noqa: SLF001 - see above
            self._routes.clear()
            self._map = url_map if _is_plain(url_map) else None
            return None
        found = self._routes.get((environ['REQUEST_METHOD'], environ.get('PATH_INFO', '')))
        if found is None or 'HTTP_UPGRADE' in environ:
            return None
        endpoint, values = found
        return endpoint, dict(values)

    def add(self, url_map: Map, environ: WSGIEnvironment, route: Route) -> None:
        """Remember the route of a request."""
        path = environ.get('PATH_INFO', '')
        if url_map is not self._map or len(path) > _PATH or 'HTTP_UPGRADE' in environ:
            return
        if len(self._routes) >= _MOST:
            self._routes.clear()
        endpoint, values = route
        self._routes[environ['REQUEST_METHOD'], path] = endpoint, dict(values)


def _is_plain(url_map: Map) -> bool:
    return (
        type(url_map) is Map
        and not url_map.host_matching
        and url_map.converters == Map.default_converters
        and all(type(rule) is Rule and not rule.subdomain for rule in url_map.iter_rules())
    )
