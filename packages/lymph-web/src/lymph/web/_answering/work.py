"""An HTTP request as a unit of work: what its interceptors see."""

from __future__ import annotations

from typing import Any, Protocol

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.wrappers import Request

from lymph.core import trace
from lymph.core.interceptors import Work

__all__ = ['HttpWork', 'Routing']


class Routing(Protocol):
    """What has the URLs of an interface."""

    name: str
    url_map: Map


class HttpWork(Work):
    """A request, as the interceptors of an HTTP interface see it.

    `name` is the method that answers, ``interface.method``. If the URL names none, it is the
    interface, and `failure` is raised instead of calling a method: an error or a redirect.
    """

    def __init__(self, site: Routing, request: Request) -> None:
        self.endpoint: str | None = None
        self.failure: HTTPException | None = None
        arguments: dict[str, Any] = {}
        try:
            self.endpoint, found = site.url_map.bind_to_environ(request.environ).match()
            arguments = dict(found)
        except HTTPException as error:
            self.failure = error
        name = site.name if self.endpoint is None else f'{site.name}.{self.endpoint}'
        super().__init__('http', name)
        self.arguments = arguments
        self.interface = site.name
        self.peer = request.remote_addr
        self.trace_id = trace.get_id()
        self.request = request
