"""What a client learns of an error.

A `Problem` is what a client may know of an error. HTTP errors bring their own text; for a failed
call to another service the client learns its kind; other errors are hidden outside of debug mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from lymph.core.failures import Killed, traceback_text
from lymph.exceptions import EmitFailure, NotSent, Refused, RemoteError, RpcError, Timeout
from lymph.web._http.opening import AnswerError, check_field

__all__ = ['RETRY_AFTER', 'Problem', 'problem_of']

_OVERLOADED = 'A service that this one depends on is overloaded.'
_REFUSED = 'A service that this one depends on refused the call.'
_MISSING = 'A service that this one depends on is not available.'
_LATE = 'A service that this one depends on did not answer in time.'

#: seconds after which to repeat a request that was refused for one of these reasons: as long as
#: other requests take to end, or other instances to be found
RETRY_AFTER: Final[dict[str, int]] = {
    'overloaded': 1,
    'starting': 1,
    'draining': 1,
    'unknown_interface': 1,
    'unknown_version': 1,
}
_REPAIR = 5  # seconds: something has to be started first, or a connection to be made


@dataclass(frozen=True)
class _Outcome:
    status: int
    message: str
    retry_after: int | None = None  # seconds


# The first that fits; `_of_refusal` is about a Refused. A declared error that nobody handled is a
# fault of the handler, hence 500.
#
# ===========================================  ======  ===========
# error that escapes from the handler          status  Retry-After
# ===========================================  ======  ===========
# Timeout, and Expired before it was sent      504     -
# Refused: expired                             504     -
# Refused: overloaded, starting, draining,     503     1 s
#     unknown_interface, unknown_version
# Refused: others                              503     -
# LookupFailure, NotConnected, NotSent         503     5 s
# EmitFailure                                  503     5 s
# RemoteError                                  500     -
# ConnectionLost, Failed, other RpcError       502     -
# any other exception                          500     -
# ===========================================  ======  ===========
_OUTCOMES: tuple[tuple[type[BaseException], _Outcome], ...] = (
    (Timeout, _Outcome(504, _LATE)),
    (NotSent, _Outcome(503, _MISSING, _REPAIR)),
    (EmitFailure, _Outcome(503, 'The event system is not available.', _REPAIR)),
    (RemoteError, _Outcome(500, 'The server failed to answer this request.')),
    (RpcError, _Outcome(502, 'A service that this one depends on failed.')),
    (BaseException, _Outcome(500, 'The server failed to answer this request.')),
)


@dataclass(frozen=True)
class Problem:
    """What a client learns: status, a sentence, more headers, a traceback in debug mode."""

    status: int
    message: str
    headers: Sequence[tuple[str, str]] = ()
    traceback: Sequence[str] = field(default=(), repr=False)  # its lines

    @property
    def title(self) -> str:
        """The usual phrase for the status; Python's own differ from version to version."""
        return HTTP_STATUS_CODES.get(self.status, 'Error')


def problem_of(error: BaseException, debug: bool = False) -> Problem:
    """Return what a client learns about `error`, with its traceback if `debug` is true."""
    if isinstance(error, HTTPException):
        return _http_problem(error)
    outcome = _outcome(error)
    headers = () if outcome.retry_after is None else (('Retry-After', str(outcome.retry_after)),)
    problem = Problem(outcome.status, outcome.message, headers)
    if debug:
        problem = replace(problem, traceback=traceback_text(error).splitlines())
    return problem


def _outcome(error: BaseException) -> _Outcome:
    if isinstance(error, Refused):
        return _of_refusal(error.reason)
    return next(outcome for kind, outcome in _OUTCOMES if isinstance(error, kind))


def _of_refusal(reason: object) -> _Outcome:
    if reason == 'expired':
        return _Outcome(504, _LATE)
    # a peer may send any reason, an interceptor any object
    seconds = RETRY_AFTER.get(reason) if isinstance(reason, str) else None
    return _Outcome(503, _OVERLOADED if reason == 'overloaded' else _REFUSED, seconds)


def _http_problem(error: HTTPException) -> Problem:
    # a handler may raise a class of its own, with whatever code and text
    code: object = error.code
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    message = '' if error.description is None else _text(error.description)
    return Problem(status, message, _http_headers(error))


def _http_headers(error: HTTPException) -> list[tuple[str, str]]:
    try:
        return [
            check_field(field)
            for field in error.get_headers()
            if field[0].lower() not in ('content-type', 'content-length')
        ]
    except (AnswerError, AttributeError, TypeError, ValueError):
        return []


def _text(description: object) -> str:
    try:
        return str(description)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - the message is the only thing of it that is used
        return ''
