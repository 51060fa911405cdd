"""Endpoints: what a rule of `url_map` may name, and how it is called.

==========================  ====================================================================
endpoint                    called with
==========================  ====================================================================
the name of a method        the request and the values from the URL; looked up on the interface
                            for each request
a function of the class     the same: it stands for its name, so that subclasses may override it
another callable            the request and the values from the URL
a class                     made with the interface and the request for each request; its method
                            `get`, `post`... is called with the values from the URL
==========================  ====================================================================

A class without `head` answers HEAD with `get`, one without `options` answers OPTIONS with the
methods it has (`Allow`); other methods are refused with 405.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.exceptions import MethodNotAllowed
from werkzeug.wrappers import Request, Response

from lymph.config.printable import printable

__all__ = [
    'HTTP_METHODS',
    'Endpoints',
    'MethodsAnswer',
    'endpoint_name',
    'handler_methods',
    'method_of',
]

#: the HTTP methods that a handler class may have a Python method for (RFC 9110, RFC 5789)
HTTP_METHODS: Final = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE')
_NAME: Final = 100  # characters of a name

Called = Callable[..., Any]


@dataclass(frozen=True)
class MethodsAnswer:
    """Answers OPTIONS for a handler class, with the methods that are allowed."""

    name: str
    allowed: tuple[str, ...]

    @classmethod
    def of(cls, handler: type, methods: Iterable[str]) -> MethodsAnswer:
        """Return what answers for a class of which these methods can be used."""
        ordered = [each for each in HTTP_METHODS if each in {*methods, 'OPTIONS'}]
        return cls(f'{endpoint_name(handler)}.options', tuple(ordered))

    def __call__(self, request: Request, /, **arguments: Any) -> Response:
        return Response(headers={'Allow': ', '.join(self.allowed)})


class Endpoints:
    """The endpoints of one interface, `site`."""

    def __init__(self, site: object) -> None:
        self._site = site
        # of the rules, which are few; names of methods are not kept
        self._found: dict[tuple[object, str], tuple[Called, str]] = {}

    def find(self, endpoint: object, http_method: str) -> Called:
        """Return what to call with the request and the values from the URL.

        Raises MethodNotAllowed for a handler class without a method for `http_method`.
        """
        if type(endpoint) is str:
            found: Called = getattr(self._site, endpoint)
            return found
        return self._resolve(endpoint, http_method)[0]

    def name(self, endpoint: object, http_method: str) -> str:
        """Return the name of what `find` returns: ``hello``, ``Users.get``."""
        return endpoint if type(endpoint) is str else self._resolve(endpoint, http_method)[1]

    def _resolve(self, endpoint: object, http_method: str) -> tuple[Called, str]:
        key = endpoint, http_method if isinstance(endpoint, type) else ''
        if key not in self._found:
            # raises for any other method, so that clients cannot fill the memory
            self._found[key] = self._resolved(endpoint, http_method)
        return self._found[key]

    def _resolved(self, endpoint: Any, http_method: str) -> tuple[Called, str]:
        name = method_of(type(self._site), endpoint)
        if name is not None:
            return functools.partial(_call_by_name, self._site, name), name
        if isinstance(endpoint, MethodsAnswer):
            return endpoint, endpoint.name
        if not isinstance(endpoint, type):
            return endpoint, endpoint_name(endpoint)
        methods = handler_methods(endpoint)
        method = methods.get(http_method)
        if method is not None:
            call = functools.partial(_handle, endpoint, self._site, method)
            return call, f'{endpoint_name(endpoint)}.{method}'
        options = MethodsAnswer.of(endpoint, methods)
        if http_method == 'OPTIONS':
            return options, options.name
        raise MethodNotAllowed(options.allowed)


def method_of(cls: type, endpoint: object) -> str | None:
    """Return the name of the method that `endpoint` is or names, None for other endpoints."""
    if isinstance(endpoint, str):
        return endpoint
    if isinstance(endpoint, type) or not (callable(endpoint) or isinstance(endpoint, classmethod)):
        return None
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if value is endpoint:
                return name
    return None


def handler_methods(cls: type) -> dict[str, str]:
    """Return the HTTP methods that a handler class answers, each with its Python method."""
    own = [each for each in HTTP_METHODS if getattr(cls, each.lower(), None) is not None]
    return {
        each: each.lower() if each in own else 'get'
        for each in HTTP_METHODS
        if each in own or (each == 'HEAD' and 'GET' in own)
    }


def endpoint_name(endpoint: Any) -> str:
    """Return the name of a callable or a handler class, printable and cut."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    name = getattr(endpoint, '__name__', None)
    return printable(name if isinstance(name, str) else type(endpoint).__name__, _NAME)


def _call_by_name(site: object, name: str, request: Request, /, **arguments: Any) -> Any:
    return getattr(site, name)(request, **arguments)


def _handle(
    cls: Callable[..., Any], site: object, method: str, request: Request, /, **arguments: Any
) -> Any:
    return getattr(cls(site, request), method)(**arguments)
