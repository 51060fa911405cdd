"""Results and problems of calls as HTTP responses (RFC 9457)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from lymph.core import trace
from lymph.web._answering.problem_answers import MEMBERS_KEY, instance_of
from lymph.web._gateway.json_text import json_bytes
from lymph.web._gateway.problems import CallProblem
from lymph.web._http.environs import ARRIVED_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = [
    'BEGUN_KEY',
    'PROBLEM',
    'note_call',
    'note_request',
    'problem_members',
    'problem_response',
    'result_response',
]

#: when a request has arrived, whether it had to wait for its turn or not
BEGUN_KEY: Final = 'lymph.gateway.begun'
#: the media type of problems
PROBLEM: Final = 'application/problem+json'

#: outcomes of calls are nobody's but the client's
_FIELDS: Final = {'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff'}


def result_response(result: Any) -> Response:
    """Return the answer with a result of JSON types."""
    return Response(json_bytes(result) + b'\n', 200, _FIELDS, mimetype='application/json')


def problem_response(problem: CallProblem, environ: WSGIEnvironment) -> Response:
    """Return the answer with a problem to the request of a WSGI environment."""
    body = json_bytes({**problem_members(problem), **instance_of(environ)}) + b'\n'
    response = Response(body, problem.status, _FIELDS, content_type=PROBLEM)
    if problem.retry_after is not None:
        response.headers['Retry-After'] = str(problem.retry_after)
    return response


def note_request(environ: WSGIEnvironment) -> None:
    """Note when a request has arrived, and that no method has run yet, for all its problems."""
    environ[MEMBERS_KEY] = {'may_have_run': False}
    environ[BEGUN_KEY] = environ.get(ARRIVED_KEY) or time.monotonic()


def note_call(environ: WSGIEnvironment) -> None:
    """Note that a method may have run from now on."""
    environ[MEMBERS_KEY] = {'may_have_run': True}


def problem_members(problem: CallProblem) -> dict[str, Any]:
    """Return what a client learns of a problem, as JSON types."""
    return {
        'type': 'about:blank',
        'title': HTTP_STATUS_CODES.get(problem.status, 'Error'),
        'status': problem.status,
        'detail': problem.detail,
        'reason': problem.reason,
        'may_have_run': problem.may_have_run,
        'trace_id': trace.get_id(),
        **problem.more,
    }
