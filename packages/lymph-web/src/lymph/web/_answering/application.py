"""The WSGI application of an interface: each request gets exactly one answer.

Each request runs in its own context (`contextvars`), also under another server and in tests. Its
trace id comes from the client, or is new, and is sent back with the answer; see `Tracing`.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import Map
from werkzeug.wrappers import Request, Response

from lymph.core import trace
from lymph.core._loop.hooks import Hook
from lymph.core._work.chains import Chain, ChainStep, surround
from lymph.core._work.environment import TRACEPARENT_KEY
from lymph.core.backends import RecentWork
from lymph.core.failures import Killed
from lymph.exceptions import Refused
from lymph.web._answering.access import log_request
from lymph.web._answering.answers import HandlerAnswer
from lymph.web._answering.error_handlers import ErrorHandlers
from lymph.web._answering.failed_requests import Debugging, FailedRequests
from lymph.web._answering.faults import AnswerAborted, ErrorAnswers
from lymph.web._answering.features import Features
from lymph.web._answering.figures import AnswerCounts
from lymph.web._answering.health import Health
from lymph.web._answering.recent_requests import RecentRequests
from lymph.web._answering.routing import Router
from lymph.web._answering.values import application_of
from lymph.web._answering.work import HttpWork, refusal
from lymph.web._http.opening import Opening
from lymph.web._serving.exchanges import Exchange
from lymph.web._tracing.identifying import TRACE_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ['Application', 'Site']

_ADDED = 'lymph.reply_headers'  # of the answer, in the WSGI environment of its request


class Site(Protocol):
    """What an application needs of its interface."""

    name: str
    url_map: Map
    request_class: type[Request]
    debug: bool

    @property
    def health(self) -> Health:
        """Answers requests for the health endpoint."""

    @property
    def max_body_size(self) -> int:
        """The longest body that may be announced, in bytes."""

    def report_error(self, error: BaseException) -> None:
        """Handle an error that no handler expected."""


class Application:
    """Calls the method that a request's URL is mapped to, and turns errors into answers.

    `chain` surrounds the choice of the method and its call (default: nothing does), but neither the
    health check nor the parts of a streamed answer. The unit of work ends when the method has
    returned, so that closing a resource can still fail the request. `error_handlers` are methods of
    the site that answer requests which have failed; each is a unit of work of its own.
    `request_hook` is called with each request that is looked up in `url_map`, before it is
    answered. `recent` keeps what became of requests.
    """

    def __init__(
        self,
        site: Site,
        chain: Chain | None = None,
        error_handlers: ErrorHandlers | None = None,
        request_hook: Hook | None = None,
        recent: RecentRequests | None = None,
    ) -> None:
        self.site = site
        self._request_hook = Hook() if request_hook is None else request_hook
        self._recent = RecentRequests('', RecentWork(0)) if recent is None else recent
        #: what is done with each request besides; set when the interface is configured
        self.features = Features()
        self.counts = AnswerCounts(site.name)
        self.router = Router(site)
        self._chain = Chain() if chain is None else chain
        #: logs and reports errors, also for the server that runs this application
        self.faults = ErrorAnswers(self._report, self._is_debugging, self._finish)
        handlers = error_handlers or ErrorHandlers()
        self._failed = FailedRequests(site, handlers, self.faults, self._run)

    def debug(self, debugger: Debugging) -> None:
        """Show errors that nobody expected in a debugger, where that is safe."""
        self._failed.debugger = debugger
        own = Features(preceding=(debugger.precede,))
        self.features = Features.merged([own, self.features])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return contextvars.Context().run(self.answer, environ, start_response)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request in the current context, which is new and its own."""
        started = time.monotonic()
        for arrive in self.features.arriving:
            arrive(environ)
        trace_id = environ[TRACE_KEY] = self.faults.tracing.id_of(environ)
        trace.go_on(trace_id)
        answer = HandlerAnswer(self, environ, start_response, started, trace_id)
        self._recent.begin(answer)
        try:
            try:
                return self._run(answer, self._dispatch(answer), environ)
            except (Killed, AnswerAborted):
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                return self._failed.answer(answer, error, environ)
        except BaseException:
            self._recent.forget(answer)  # no answer has begun, which would have ended it
            raise

    def begin(self, answer: HandlerAnswer, opening: Opening) -> Callable[[bytes], object]:
        """Log and count that a request is answered, pass status and fields to the server."""
        environ = answer.environ
        seconds = time.monotonic() - answer.started
        is_check = answer.is_check
        log_request(environ, opening.status, opening.length, seconds, answer.trace_id, is_check)
        if is_check:
            self._recent.forget(answer)
        else:
            self.counts.count(opening.status, answer.started, seconds, answer.trace_id)
            self._recent.end(answer, opening.status, seconds)
        if self._add_fields(opening, environ, answer.trace_id):
            exchange = getattr(answer.start_response, '__self__', None)
            # the server need not check again what nobody could have changed
            if type(exchange) is Exchange:
                return exchange.start(opening)
        return answer.start_response(opening.status, opening.fields)

    def broken(self, answer: HandlerAnswer, error: BaseException) -> None:
        """Log and report an error of an answer that has begun."""
        self.faults.log_and_report(error, answer.environ)

    def _add_fields(self, opening: Opening, environ: WSGIEnvironment, trace_id: str) -> bool:
        """Add the fields of lymph; return whether all are checked still."""
        tracing = self.faults.tracing
        answered = tracing.answered
        added = environ.get(_ADDED)
        if added:
            opening.drop({*answered, *map(str.lower, added)})
            for name, value in added.items():
                if name.lower() not in answered:
                    opening.add(name, value)
        elif not answered.isdisjoint(opening.names):
            opening.drop(answered)
        opening.add(tracing.response_header, trace_id)
        if TRACEPARENT_KEY in environ:
            opening.add('traceparent', environ[TRACEPARENT_KEY])
        if self.features.finishing:
            self._finish(environ, opening.status, opening.fields)
            return False
        return True

    def _run(
        self, answer: HandlerAnswer, application: WSGIApplication, environ: WSGIEnvironment
    ) -> Iterable[bytes]:
        for wrap in self.features.wrapping:
            application = wrap(application, environ)
        return answer.run(application)

    def _dispatch(self, answer: HandlerAnswer) -> WSGIApplication:
        environ = answer.environ
        request = self.site.request_class(environ)
        # a body without a length is counted by the server while it is read; werkzeug's own limit
        # would cut such a body off and call it whole
        announced = 'CONTENT_LENGTH' in environ
        if announced and (request.content_length or 0) > self.site.max_body_size:
            raise RequestEntityTooLarge
        if self.site.health.answers(request.path):
            answer.is_check = True
            return self.site.health.respond(request)
        features = self.features
        for precede in features.preceding:
            other = precede(request)
            if other is not None:
                return other
        if features.surrounding:
            return _around(features.surrounding, environ, partial(self._handle, request, environ))
        return self._handle(request, environ)

    def _handle(self, request: Request, environ: WSGIEnvironment) -> WSGIApplication:
        if self._request_hook.callbacks:
            self._call_hook(request)
        steps = self._chain.steps
        if steps:
            return self._surrounded(steps, request, environ)
        endpoint, arguments = self.router.match(request)
        return self._chain.enter(self._call, endpoint, request, arguments)

    def _call_hook(self, request: Request) -> None:
        work = HttpWork(self.router, request)
        self._request_hook(
            request,
            component=self.site,
            function=work.name,
            arguments=work.arguments,
            trace_id=work.trace_id,
        )

    def _surrounded(
        self, steps: tuple[ChainStep, ...], request: Request, environ: WSGIEnvironment
    ) -> WSGIApplication:
        """Answer a request inside its interceptors."""
        work = HttpWork(self.router, request)
        environ[_ADDED] = work.reply_headers
        try:
            answer = surround(steps, work, partial(self._respond_to, work))
        except Refused as error:
            # one that another service has sent has an endpoint: its text is not for the client
            if work.entered or error.endpoint is not None:
                raise
            raise refusal(error) from error
        return application_of(answer, f'the interceptors of {self.site.name}')

    def _respond_to(self, work: HttpWork) -> WSGIApplication:
        if work.failure is not None:
            raise work.failure
        work.entered = True
        return self._chain.enter(self._call, work.endpoint, work.request, work.arguments)

    def _call(
        self, endpoint: Any, request: Request, arguments: Mapping[str, Any]
    ) -> WSGIApplication:
        response = self.router.find(endpoint, request)(request, **arguments)
        if isinstance(response, Response):
            return response
        name = self.router.name(endpoint, request)
        return application_of(response, f'{type(self.site).__name__}.{name}')

    def _finish(self, environ: WSGIEnvironment, status: str, fields: list[tuple[str, str]]) -> None:
        for finish in self.features.finishing:
            finish(environ, status, fields)

    def _report(self, error: BaseException) -> None:
        self.site.report_error(error)

    def _is_debugging(self) -> bool:
        return self.site.debug


def _around(
    surrounding: tuple[Callable[[WSGIEnvironment, Callable[[], Any]], Any], ...],
    environ: WSGIEnvironment,
    proceed: Callable[[], WSGIApplication],
) -> WSGIApplication:
    for surround_one in reversed(surrounding):
        proceed = partial(surround_one, environ, proceed)
    return proceed()
