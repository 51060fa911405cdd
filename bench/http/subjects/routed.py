"""A WSGI application as werkzeug's documentation writes it: a map of URLs, requests, responses."""

from __future__ import annotations

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

__all__ = ['application']

_URLS = Map([Rule('/hello/<string:name>', endpoint='hello')])


@Request.application
def application(request: Request) -> Response | HTTPException:
    """Answer a request."""
    try:
        _, values = _URLS.bind_to_environ(request.environ).match()
    except HTTPException as error:
        return error
    return Response(f'hello {values["name"]}')
