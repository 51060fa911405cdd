"""An HTTP request as a unit of work: what its interceptors see."""

from __future__ import annotations

from typing import Any, Final

from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.wrappers import Request

from lymph.config.printable import printable, quoted
from lymph.core import trace
from lymph.core._work.headers import FIXED, Headers
from lymph.core.backends import current_deadline
from lymph.core.failures import error_text
from lymph.core.interceptors import Work
from lymph.exceptions import Refused
from lymph.web._answering.errors import RETRY_AFTER, problem_of
from lymph.web._answering.routing import Router
from lymph.web._http.opening import AnswerError, check_field
from lymph.web._tracing.identifying import TRACE_HEADER

__all__ = ['Fields', 'HttpWork', 'refusal']

_TEXT = 2000  # characters of a refusal

_OF_THE_SERVER: Final = frozenset(
    {'connection', 'content-length', 'traceparent', 'transfer-encoding', TRACE_HEADER.lower()}
)

#: the status for each reason to refuse a request; 403 for others
_STATUSES: Final[dict[str, int]] = {
    'malformed': 400,
    'invalid_arguments': 400,
    'unknown_interface': 404,
    'unknown_method': 404,
    'unknown_version': 404,
    'overloaded': 503,
    'starting': 503,
    'draining': 503,
    'expired': 504,
}


class HttpWork(Work):
    """A request, as the interceptors of an HTTP interface see it.

    `name` is what answers: ``interface.method``, ``interface.function``, or of a handler class
    ``interface.Class.get``. If the request matches none, it is the interface, and `failure` is
    raised instead of calling a method: an error or a redirect. `arguments` are the values from the
    URL.
    """

    #: whether the method was called
    entered = False

    def __init__(self, router: Router, request: Request) -> None:
        self.endpoint: Any = None
        self.failure: HTTPException | None = None
        arguments: dict[str, Any] = {}
        name = router.site.name
        try:
            endpoint, found = router.match(request)
            name = f'{name}.{router.name(endpoint, request)}'
        except HTTPException as error:
            self.failure = error
        else:
            self.endpoint = endpoint
            arguments = dict(found)
        super().__init__('http', name)
        self.arguments = arguments
        self.interface = router.site.name
        self.peer = request.remote_addr
        self.trace_id = trace.get_id()
        self.deadline = current_deadline()
        self.request = request
        self._router = router

    @property
    def route(self) -> str | None:
        return None if self.failure is not None else self._router.rule(self.request)

    def status_of(self, outcome: object) -> int | None:
        if isinstance(outcome, Refused) and outcome.endpoint is None and not self.entered:
            outcome = refusal(outcome)
        if isinstance(outcome, HTTPException):
            # of one that brings a response, or of a redirect, the code need not be an error
            response = outcome.response
            code: object = outcome.code if response is None else response.status_code
            if isinstance(code, int) and 100 <= code <= 599:
                return code
        if isinstance(outcome, BaseException):
            return problem_of(outcome).status
        status = getattr(outcome, 'status_code', None)
        return status if isinstance(status, int) else None

    def _read_headers(self) -> Headers:
        return _Received(dict(self.request.headers), FIXED)

    def _read_reply_headers(self) -> Fields:
        return Fields()


class _Received(Headers):
    """Headers of a request: upper and lower case are the same."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.title())  # as werkzeug writes them


class Fields(Headers):
    """Headers of an answer: text that HTTP can carry."""

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a header; raises ValueError for a name or a value that HTTP cannot carry."""
        if isinstance(name, str) and name.lower() in _OF_THE_SERVER:
            raise ValueError(f'the header {quoted(name)} is set by lymph; choose another name')
        try:
            check_field((name, value))
        except AnswerError as error:
            raise ValueError(f'header {quoted(name)}: {error}') from error
        super().__setitem__(name, value)


def refusal(error: Refused) -> HTTPException:
    """Return the answer to a request that an interceptor has refused."""
    description = printable(error_text(error), _TEXT)
    reason: object = error.reason
    status = _STATUSES.get(reason, 403) if isinstance(reason, str) else 403
    if status == 503:
        return ServiceUnavailable(description, retry_after=RETRY_AFTER.get(error.reason))
    response = HTTPException(description)
    response.code = status
    return response
