"""The WSGI application of an interface: one request in, one answer out, whatever happens between.

Each request runs in a context of its own, also under another server and in tests: nothing that one
sets is seen by the next. Its trace id comes from the client's ``X-Trace-Id``, or is new, and goes
back with the answer.
"""

from __future__ import annotations

import contextvars
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import gevent
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import Map
from werkzeug.wrappers import Request

from lymph.core import trace
from lymph.exceptions import RemoteError, RpcError
from lymph.web.errors import error_response, problem_of
from lymph.web.health import Health

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['TRACE_HEADER', 'Application', 'Site']

logger = logging.getLogger(__name__)
access_logger = logging.getLogger('lymph.web.access')

TRACE_HEADER = 'X-Trace-Id'
# It ends up in logs and in the headers of calls.
_TRACE_ID = re.compile(r'[A-Za-z0-9._:-]{1,128}')


class Site(Protocol):
    """What an application needs of its interface."""

    url_map: Map
    request_class: type[Request]
    debug: bool

    @property
    def health(self) -> Health:
        """Answers requests for the health endpoint."""

    @property
    def max_body_size(self) -> int:
        """The longest body that may be announced, in bytes."""

    def report(self, error: BaseException) -> None:
        """Hear of an error that no handler expected."""


class Application:
    """Calls the method that a request's URL is mapped to, and turns errors into answers."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        context = contextvars.Context()
        body = context.run(self._answer, environ, start_response)
        return body if isinstance(body, (list, tuple)) else _InContext(context, body)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        given = environ.get('HTTP_X_TRACE_ID', '')
        trace_id = trace.set_id(given if _TRACE_ID.fullmatch(given) else None)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            self._log(environ, status, time.monotonic() - started)
            return start_response(status, [*headers, (TRACE_HEADER, trace_id)], exc_info)

        return self._respond(environ, trace_id)(environ, start)

    def _log(self, environ: WSGIEnvironment, status: str, seconds: float) -> None:
        path = environ.get('PATH_INFO', '')
        # load balancers ask for the health every other second
        level = logging.DEBUG if self.site.health.answers(path) else logging.INFO
        if access_logger.isEnabledFor(level):
            access_logger.log(
                level,
                '%s %s %s %s in %.1f ms',
                environ.get('REMOTE_ADDR', '-'),
                environ['REQUEST_METHOD'],
                path,
                status.partition(' ')[0],
                seconds * 1000,
            )

    def _respond(self, environ: WSGIEnvironment, trace_id: str) -> WSGIApplication:
        request = self.site.request_class(environ)
        try:
            return self._dispatch(request)
        except HTTPException as error:
            if error.response is not None or (error.code or 500) < 400:
                return error.get_response(environ)
            return error_response(problem_of(error), environ, trace_id)
        except (Exception, gevent.Timeout) as error:  # the edge of somebody else's code
            if isinstance(error, RpcError) and not isinstance(error, RemoteError):
                logger.warning('%s %s: %s', request.method, request.path, error)
            else:
                logger.exception('%s %s failed', request.method, request.path)
                self.site.report(error)
            return error_response(problem_of(error, self.site.debug), environ, trace_id)

    def _dispatch(self, request: Request) -> WSGIApplication:
        # a body without a length is counted by the server while it is read; werkzeug's own limit
        # would cut such a body off and call it whole
        if (request.content_length or 0) > self.site.max_body_size:
            raise RequestEntityTooLarge
        if self.site.health.answers(request.path):
            return self.site.health.respond(request)
        endpoint, arguments = self.site.url_map.bind_to_environ(request.environ).match()
        response = getattr(self.site, endpoint)(request, **arguments)
        if not callable(response):
            raise TypeError(
                f'expected {type(self.site).__name__}.{endpoint} to return a werkzeug Response, '
                f'found {type(response).__name__}'
            )
        return response  # type: ignore[no-any-return]


class _InContext:
    """The body of an answer whose parts are made in the context of its request."""

    def __init__(self, context: contextvars.Context, body: Iterable[bytes]) -> None:
        self._context = context
        self._body = body
        self._parts = iter(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._parts)

    def close(self) -> None:
        close: Callable[[], None] | None = getattr(self._body, 'close', None)
        if close is not None:
            self._context.run(close)
