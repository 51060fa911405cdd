"""Classes that answer requests, with a method for each HTTP method; methods that answer errors.

::

    class Users(RequestHandler):
        def get(self, id):
            return Response(self.interface.users[id])

        def delete(self, id):
            del self.interface.users[id]
            return Response(status=204)


    class Web(WebServiceInterface):
        url_map = Map([Rule('/users/<int:id>', endpoint=Users)])
"""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request

from lymph.web._answering.error_handlers import errorhandler

__all__ = ['RequestHandler', 'errorhandler']


class RequestHandler:
    """The base class of endpoints that are classes; a new object answers each request.

    A subclass defines `get`, `post`, `put`, `patch`, `delete`, `head`, `options` or `trace`. They
    are called with the values from the URL as keywords, and return what a method of the interface
    may return. Without `head`, HEAD is answered by `get`; without `options`, OPTIONS is answered
    with the methods there are (`Allow`). Other methods are refused with 405.

    Classes that are not derived from this one are handlers too, if they are made with an interface
    and a request and have one of these methods.
    """

    #: the interface whose `url_map` names this class
    interface: Any
    request: Request

    def __init__(self, interface: Any, request: Request) -> None:
        self.interface = interface
        self.request = request

    def url_for(self, endpoint: Any, /, *, _external: bool = False, **values: Any) -> str:
        """Return a URL of the interface; see `WebServiceInterface.url_for`."""
        url: str = self.interface.url_for(self.request, endpoint, _external=_external, **values)
        return url
