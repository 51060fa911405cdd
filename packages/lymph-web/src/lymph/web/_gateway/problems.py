"""Why a call through a gateway has no result, in words and codes for its client.

`problem_of` turns the error of a call into a `CallProblem`. Its text never names endpoints or
anything else of the inside, except where the author of a method has declared an error, and where
the arguments are to blame.

======================  ======  ========  ==========================================================
reason                  status  ran?      meaning
======================  ======  ========  ==========================================================
malformed               400     no        the request is not a JSON object, or exceeds a bound
invalid_arguments       400     no        the arguments do not fit the method; `path` says where
forbidden               403     no        the service does not allow this call
unknown_method          404     no        there is no such method here, or it is not allowed
unknown_version         404     no        no instance serves the version that was asked for
not_acceptable          406     no        the client does not accept JSON
still_running           409     maybe     the first request with this idempotency key is running
outcome_lost            409     maybe     its answer is not kept any more
too_large               413     no        the arguments are larger than a message may be
unsupported_media_type  415     no        the body is not sent as JSON
declared                422     yes       an error that the method declares: `error_type`, `detail`
key_reused              422     no        the idempotency key was used for another request
failed                  500     yes       the method failed
unreadable_result       500     yes       the result has no form in JSON
connection_lost         502     maybe     the connection to the service broke meanwhile
not_connected           503     no        no instance of the service can be reached
overloaded              503     no        the service has too many calls
starting, draining      503     no        the service starts or stops
refused                 503     no        the service refused the call for another reason
expired                 504     no        no time was left to make the call
timeout                 504     maybe     there was no answer in time
======================  ======  ========  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any, Final

from lymph.config.printable import printable
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    Failed,
    LymphError,
    NotSent,
    Refused,
    RemoteError,
    RpcError,
    Timeout,
)

__all__ = ['CallProblem', 'problem_of', 'unknown']

_TEXT: Final = 4000  # characters of a detail
_NAME: Final = 200  # characters of the name of an error's class
_RETRY_AFTER: Final = 1  # seconds
#: where an argument is, at the beginning of the text about it: ``order.lines[0].price: ...``
_PATH: Final = re.compile(
    r'(?P<name>\w+)(?:\.[^\s.:\[\]]+|\[(?:\d+|\'[^\']*\'|"[^"]*"|[^\]]*)\])*(?=: )'
)

#: statuses and texts of the reasons with which services refuse calls
_REFUSALS: Final[dict[str, tuple[int, str]]] = {
    'malformed': (400, 'The service cannot read the arguments.'),
    'invalid_arguments': (400, 'The arguments do not fit the method.'),
    'forbidden': (403, 'The service does not allow this call.'),
    'unknown_version': (404, 'No instance serves this version.'),
    'overloaded': (503, 'The service has too many calls at the moment.'),
    'starting': (503, 'The service is starting.'),
    'draining': (503, 'The service is stopping.'),
    'expired': (504, 'No time was left to make the call.'),
}
_UNKNOWN: Final = frozenset({'unknown_method', 'unknown_interface'})


class CallProblem(LymphError):
    """A call through a gateway has no result.

    `status` is that of HTTP; `reason` is a word that clients can act upon, see above;
    `may_have_run` is False if the method certainly did not run. `retry_after` are seconds, None if
    the same call would fail again. `more` are further members for the client.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        may_have_run: bool = False,
        retry_after: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.may_have_run = may_have_run
        self.retry_after = retry_after
        self.more = more


def unknown() -> CallProblem:
    """Return the problem of a method that does not exist or is not allowed: both look the same."""
    return CallProblem(404, 'unknown_method', 'There is no such method here.')


def problem_of(error: RpcError, arguments: Container[str] = ()) -> CallProblem:
    """Return what a client learns of an error of a call with these arguments."""
    if isinstance(error, RemoteError):
        detail = printable(_without_place(error), _TEXT)
        kind = printable(error.type, _NAME)
        return CallProblem(422, 'declared', detail, may_have_run=True, error_type=kind)
    if isinstance(error, Refused):
        return _refusal(error, arguments)
    if isinstance(error, Failed):
        return CallProblem(500, 'failed', 'The method failed.', may_have_run=True)
    if isinstance(error, Expired):
        return CallProblem(504, 'expired', 'No time was left to make the call.')
    if isinstance(error, NotSent):
        return _not_now(503, 'not_connected', 'No instance of the service can be reached.')
    if isinstance(error, Timeout):
        return CallProblem(504, 'timeout', 'There was no answer in time.', may_have_run=True)
    if isinstance(error, ConnectionLost):
        text = 'The connection to the service broke before it answered.'
        return CallProblem(502, 'connection_lost', text, may_have_run=True)
    return CallProblem(502, 'failed', 'The call failed.', may_have_run=error.executed != 'no')


def _refusal(error: Refused, arguments: Container[str]) -> CallProblem:
    reason: str = error.reason
    if reason in _UNKNOWN:
        return unknown()
    if reason == 'invalid_arguments':
        detail = printable(_without_place(error), _TEXT)
        path = _PATH.match(detail)
        if path is None or path['name'] not in arguments:
            return CallProblem(400, reason, detail)
        return CallProblem(400, reason, detail, path=path[0])
    status, text = _REFUSALS.get(reason, (503, 'The service refused the call.'))
    if reason not in _REFUSALS:
        reason = 'refused'
    return _not_now(status, reason, text) if status == 503 else CallProblem(status, reason, text)


def _not_now(status: int, reason: str, text: str) -> CallProblem:
    return CallProblem(status, reason, text, retry_after=_RETRY_AFTER)


def _without_place(error: RpcError) -> str:
    """Return the text of an error without the method and the endpoint in front of it."""
    text = str(error)
    place = f'{error.subject} at {error.endpoint}'
    return '' if text == place else text.removeprefix(f'{place}: ')
