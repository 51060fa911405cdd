"""Answers requests that have failed: by what the error brings, an error handler, or as usual."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Request, Response

from lymph.core.failures import Killed, error_line
from lymph.core.resources import unit
from lymph.web._answering.answers import HandlerAnswer
from lymph.web._answering.error_handlers import ErrorHandlers, Found
from lymph.web._answering.errors import Problem
from lymph.web._answering.faults import AnswerAborted, ErrorAnswers
from lymph.web._answering.values import application_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ['Debugging', 'FailedRequests']

Run = Callable[[HandlerAnswer, 'WSGIApplication', 'WSGIEnvironment'], Iterable[bytes]]


class Debugging(Protocol):
    """What shows an error as a page with prompts."""

    def precede(self, request: Request) -> WSGIApplication | None:
        """Return what answers a request that such a page has sent, None for others."""

    def shows(self, error: BaseException, environ: WSGIEnvironment) -> bool:
        """Tell whether to answer a request with the page of an error."""

    def page(self, error: BaseException) -> WSGIApplication:
        """Return the application that answers with this page."""


class FailedRequests:
    """Answers the failed requests of one interface, `site`; `run` sends an answer."""

    def __init__(
        self, site: object, handlers: ErrorHandlers, faults: ErrorAnswers, run: Run
    ) -> None:
        self._site = site
        self._handlers = handlers
        self._faults = faults
        self._run = run
        #: shows errors that nobody expected; set when the interface starts
        self.debugger: Debugging | None = None

    def answer(
        self,
        answer: HandlerAnswer,
        error: BaseException,
        environ: WSGIEnvironment,
        handled: bool = False,
    ) -> Iterable[bytes]:
        """Return the body of the answer to a request that ended with `error`.

        `handled`: an error handler has raised it. Raises AnswerAborted if an answer has begun.
        """
        found: Found | None = None
        logged = False
        try:
            if answer.begun:
                pass
            elif isinstance(error, HTTPException) and _is_response(error):
                return self._run(answer, error.get_response(environ), environ)
            elif self._handlers and not handled:
                problem = self._faults.problem(error)
                found = self._handlers.find(error, problem.status, problem.message)
                if found is not None and (found.expected or not self._is_debugged(error, environ)):
                    logged = not found.expected
                    if logged:
                        self._faults.log_unless_chosen(error, environ)
                    return self._run(answer, self._handle(found, environ, problem), environ)
        except (Killed, AnswerAborted):
            raise
        except BaseException as second:  # noqa: BLE001 - the edge of somebody else's code
            if found is None or answer.begun:
                error = second
            elif second is not error and second is not found.error:
                if isinstance(second, HTTPException):
                    return self.answer(answer, second, environ, handled=True)
                self._faults.log_and_report(second, environ)
        if answer.begun:
            self._faults.log_and_report(error, environ)
            raise AnswerAborted(error_line(error)) from error
        if not logged:
            self._faults.log_unless_chosen(error, environ)
        return self._run(answer, self._usual(error, environ), environ)

    def _usual(self, error: BaseException, environ: WSGIEnvironment) -> WSGIApplication:
        """Return what answers an error without a handler."""
        if self.debugger is not None and self._is_debugged(error, environ):
            return self.debugger.page(error)
        if isinstance(error, HTTPException) and _has_page(error):
            try:
                return error.get_response(environ)
            except Killed:
                raise
            except BaseException as second:  # noqa: BLE001 - code of the author's class
                self._faults.log_and_report(second, environ)
        return self._faults.response(error, environ)

    def _is_debugged(self, error: BaseException, environ: WSGIEnvironment) -> bool:
        return self.debugger is not None and self.debugger.shows(error, environ)

    def _handle(self, found: Found, environ: WSGIEnvironment, problem: Problem) -> WSGIApplication:
        # missing where the request class itself has failed
        request = environ.get('werkzeug.request') or Request(environ)
        with unit():
            value = getattr(self._site, found.name)(request, found.error)
        name = f'{type(self._site).__name__}.{found.name}'
        application = application_of(value, name, problem.status)
        if isinstance(application, Response) and application.status_code == problem.status:
            # Allow, Retry-After and the like belong to the status
            for field, text in problem.headers:
                if field not in application.headers:
                    application.headers.add(field, text)
        return application


def _is_response(error: HTTPException) -> bool:
    """Tell whether an HTTPException brings a response, or stands for one that is no error."""
    return error.response is not None or (error.code or 500) < 400


def _has_page(error: HTTPException) -> bool:
    """Tell whether the class of an error makes a page of its own, with a status that can be."""
    own = type(error)
    if (own.get_body, own.get_response) == (HTTPException.get_body, HTTPException.get_response):
        return False
    return isinstance(error.code, int) and error.code in HTTP_STATUS_CODES
