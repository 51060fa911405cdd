"""An interface of lymph."""

from __future__ import annotations

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from lymph.web import WebServiceInterface

__all__ = ['Site']


class Site(WebServiceInterface):
    """Answers requests by a map of URLs."""

    url_map = Map([Rule('/hello/<string:name>', endpoint='hello')])

    def hello(self, request: Request, name: str) -> Response:
        """Answer a request."""
        return Response(f'hello {name}')
