"""Log an error that ends a request, report it to the error hook, and make the answer.

Only Killed is raised here: an incomplete report is better than a connection that hangs.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from lymph.config.printable import printable
from lymph.core import trace
from lymph.core._work.environment import TRACEPARENT_KEY
from lymph.core.failures import Killed, error_line, error_name
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.exceptions import LymphError, RemoteError, RpcError
from lymph.web._answering.errors import Problem, problem_of
from lymph.web._answering.problem_answers import error_response
from lymph.web._tracing.identifying import TRACE_KEY, Tracing

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = [
    'AnswerAborted',
    'ClientGone',
    'ErrorAnswers',
    'path_of',
    'printable_path',
]

logger = logging.getLogger(__name__)

_EXPECTED = (HTTPException, RpcError)
_SHOWN = 200  # characters of a path in the log


class AnswerAborted(LymphError):
    """An answer failed after its first byte was sent; its error has been logged."""


class ClientGone(AnswerAborted):
    """The client has closed the connection, or does not read its answer."""


class ErrorAnswers:
    """Logs errors that end requests, and makes the answers to them.

    `report` is called with each unexpected error. If `debug()` is true, answers contain the
    traceback. `finish` changes the header fields of answers that the server makes itself, as those
    of the application are changed (`Features.finishing`).
    """

    def __init__(
        self,
        report: Callable[[BaseException], None] | None = None,
        debug: Callable[[], bool] = bool,
        finish: Callable[[WSGIEnvironment, str, list[tuple[str, str]]], None] | None = None,
    ) -> None:
        #: set when the interface is configured
        self.tracing = Tracing()
        self._report = report
        self._debug = debug
        self._finish = finish
        self._log = LimitedLog(logger)

    def answer(self, error: BaseException, environ: WSGIEnvironment) -> Response:
        """Log `error` and return the answer for the client, in place of the application's.

        HTTP errors are answers that the handler chose: they are neither logged nor reported.
        """
        self.log_unless_chosen(error, environ)
        response = self.response(error, environ)
        fields = list(response.headers)
        if TRACEPARENT_KEY in environ:
            fields.append(('traceparent', environ[TRACEPARENT_KEY]))
        if self._finish is not None:
            self._finish(environ, response.status, fields)
        response.headers = Headers(fields)
        return response

    def response(self, error: BaseException, environ: WSGIEnvironment) -> Response:
        """Return the answer for the client."""
        trace_id = self.tracing.id_of(environ)
        response = error_response(self.problem(error), environ, trace_id)
        response.headers[self.tracing.response_header] = trace_id
        return response

    def problem(self, error: BaseException) -> Problem:
        """Return what a client learns of `error`."""
        try:
            return problem_of(error, self._debug())
        except Killed:
            raise
        except BaseException as second:  # noqa: BLE001 - an error that cannot be put into words
            text = 'an error could not be put into words'
            self._log.write(logging.ERROR, 'problem', text, exc_info=second)
            return problem_of(RuntimeError())

    def log_unless_chosen(self, error: BaseException, environ: WSGIEnvironment) -> None:
        """Log and report `error`, unless it is an answer that a handler chose, or was logged."""
        if not issubclass(type(error), (HTTPException, AnswerAborted)):
            self.log_and_report(error, environ)

    def log_and_report(self, error: BaseException, environ: WSGIEnvironment) -> None:
        """Log `error`; report it unless the client or a called service caused it."""
        # the server calls this as well, outside of the context of the request
        trace_id = environ[TRACE_KEY] = self.tracing.id_of(environ)
        context = contextvars.copy_context()
        context.run(trace.set_id, trace_id)
        context.run(self._log_and_report, error, environ)

    def _log_and_report(self, error: BaseException, environ: WSGIEnvironment) -> None:
        request = f'{printable(environ["REQUEST_METHOD"], _SHOWN)} {path_of(environ)}'
        kind = error_name(error)
        if issubclass(type(error), _EXPECTED) and not issubclass(type(error), RemoteError):
            self._log.write(logging.WARNING, kind, '%s: %s', request, error_line(error))
            return
        self._log.write(logging.ERROR, kind, '%s failed', request, exc_info=error)
        if self._report is not None:
            try:
                self._report(error)
            except Killed:
                raise
            except BaseException as second:  # noqa: BLE001 - other people's code
                text = 'an error could not be reported'
                self._log.write(logging.ERROR, 'report', text, exc_info=second)

    def log_check_failure(self, error: BaseException) -> None:
        """Log that the health check raised `error`."""
        self._log.write(logging.ERROR, 'check', 'the health check failed', exc_info=error)

    def close(self) -> None:
        """Log how many lines were left out."""
        self._log.close()


def path_of(environ: WSGIEnvironment) -> str:
    """Return the path of a request, cut and made printable for the log."""
    return printable_path(environ.get('PATH_INFO', ''))


def printable_path(path: str) -> str:
    """Return a path of a WSGI environment, cut and made printable for the log."""
    path = path[:_SHOWN]
    if not path.isascii():
        path = path.encode('latin-1', 'replace').decode(errors='replace')
    return printable(path, _SHOWN)
