"""From a request to what answers it: the `url_map` and the endpoints of one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BuildError, Map, MapAdapter
from werkzeug.wrappers import Request

from lymph.web._answering.endpoints import Endpoints, MethodsAnswer, method_of
from lymph.web._answering.maps import bind, copied
from lymph.web._answering.remembered import RememberedRoutes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['Routed', 'Router', 'own_map']


class Routed(Protocol):
    """What a router needs of its interface."""

    name: str
    url_map: Map


class Router:
    """Finds what answers a request, and makes URLs.

    `server_name` is the host name that subdomains are part of.
    """

    def __init__(self, site: Routed, server_name: str | None = None) -> None:
        self.site = site
        self.server_name = server_name
        self._endpoints = Endpoints(site)
        self._remembered = RememberedRoutes()

    def match(self, request: Request) -> tuple[Any, Mapping[str, Any]]:
        """Return the endpoint and the values from the URL. Raises HTTPException if none matches."""
        url_map, environ = self.site.url_map, request.environ
        known = self._remembered.get(url_map, environ)
        if known is not None:
            return known
        adapter = self.adapter(environ)
        try:
            route = adapter.match()
            self._remembered.add(url_map, environ, route)
            return route
        except MethodNotAllowed as error:
            methods = list(error.valid_methods or ())
            if request.method != 'OPTIONS' or not methods:
                raise
            endpoint, arguments = adapter.match(method=methods[0])
            if not isinstance(endpoint, type):
                raise
            # rules that list methods need not list this one
            return MethodsAnswer.of(endpoint, methods), arguments

    def rule(self, request: Request) -> str | None:
        """Return the rule that matches a request, as text (``/notes/<id>``); None without one."""
        try:
            found, _ = self.adapter(request.environ).match(return_rule=True)
        except HTTPException:  # also an OPTIONS request that a class answers for all its rules
            return None
        return found.rule

    def find(self, endpoint: Any, request: Request) -> Callable[..., Any]:
        """Return what to call for an endpoint. Raises MethodNotAllowed."""
        return self._endpoints.find(endpoint, request.method)

    def name(self, endpoint: Any, request: Request) -> str:
        """Return the name of what `find` returns. Raises MethodNotAllowed."""
        return self._endpoints.name(endpoint, request.method)

    def build(
        self, request: Request, endpoint: Any, values: Mapping[str, Any], external: bool
    ) -> str:
        """Return the URL of an endpoint. Raises BuildError if no rule fits."""
        adapter = self.adapter(request.environ)
        try:
            return adapter.build(endpoint, values, force_external=external)
        except BuildError:
            name = method_of(type(self.site), endpoint)
            if name is None or name is endpoint:
                raise
            return adapter.build(name, values, force_external=external)

    def adapter(self, environ: WSGIEnvironment) -> MapAdapter:
        """Return the map of the interface, bound to a request."""
        # looked up for each request: it may have been replaced
        return bind(self.site.url_map, environ, self.server_name)


def own_map(cls: type, url_map: Map) -> Map:
    """Return a copy of a map for one interface, with names in place of functions of its class."""

    def named(endpoint: Any) -> Any:
        return method_of(cls, endpoint) or endpoint

    return copied(url_map, named)
