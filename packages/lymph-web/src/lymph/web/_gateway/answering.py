"""Answers requests for calls: each request gets a result or a problem."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from lymph.web._gateway.calls import Calls
from lymph.web._gateway.hangups import HangUps
from lymph.web._gateway.idempotency import KeptAnswer, Outcomes, digest_of
from lymph.web._gateway.problems import CallProblem
from lymph.web._gateway.requests import Asked, parse_arguments, read_request
from lymph.web._gateway.responses import note_call, problem_response, result_response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['CallAnswers']


class CallAnswers:
    """Makes the calls that requests ask for; `timeout_header` is where they say for how long."""

    def __init__(
        self, calls: Calls, outcomes: Outcomes, hang_ups: HangUps, timeout_header: str
    ) -> None:
        self._calls = calls
        self._outcomes = outcomes
        self._hang_ups = hang_ups
        self._timeout_header = timeout_header

    def answer(self, request: Request, name: str) -> Response:
        """Return the answer to a request for a call of ``interface.method``."""
        try:
            self._calls.expect_allowed(name)
            asked = read_request(request, self._timeout_header)
            if asked.key is None:
                return result_response(self._result(request, name, asked))
            return self._answer_once(request, name, asked, asked.key)
        except CallProblem as problem:
            return problem_response(problem, request.environ)

    def call(
        self,
        environ: WSGIEnvironment,
        name: str,
        arguments: dict[str, Any],
        timeout: float | None = None,
        version: str | None = None,
    ) -> Any:
        """Make a call for the client of a request, who may hang up; see `Calls.make`."""
        note_call(environ)
        with self._hang_ups.watched(environ, name):
            return self._calls.make(name, arguments, timeout, version)

    def _result(self, request: Request, name: str, asked: Asked) -> Any:
        arguments = parse_arguments(asked.body)
        if asked.key is None:
            return self.call(request.environ, name, arguments, asked.timeout, asked.version)
        note_call(request.environ)  # goes on if the client hangs up: it can ask again
        return self._calls.make(name, arguments, asked.timeout, asked.version)

    def _answer_once(self, request: Request, name: str, asked: Asked, key: str) -> Response:
        """Answer a request with an idempotency key."""
        whose = request.headers.get('Authorization', '')
        scope = digest_of(whose.encode(errors='replace'), key.encode())
        version = (asked.version or '').encode(errors='replace')
        digest = digest_of(name.encode(), version, asked.body)
        kept = self._outcomes.begin(scope, digest, time.monotonic())
        if kept is not None:
            return _replayed(kept)
        response: Response | None = None
        ran = True
        try:
            response, ran = self._outcome(request, name, asked)
        finally:
            if ran:
                self._outcomes.end(scope, None if response is None else _kept(response))
            else:
                self._outcomes.forget(scope)
        return response

    def _outcome(self, request: Request, name: str, asked: Asked) -> tuple[Response, bool]:
        """Return the answer, and whether the method may have run."""
        try:
            return result_response(self._result(request, name, asked)), True
        except CallProblem as problem:
            return problem_response(problem, request.environ), problem.may_have_run


def _replayed(kept: KeptAnswer) -> Response:
    response = Response(kept.body, kept.status, [*kept.fields])
    response.headers['Idempotency-Replayed'] = 'true'
    return response


def _kept(response: Response) -> KeptAnswer:
    fields = tuple(field for field in response.headers.items() if field[0] != 'Retry-After')
    return KeptAnswer(response.status_code, fields, response.get_data())
