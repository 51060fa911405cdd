"""How a unit of work ended, on its span.

====================================  ==============  ==================  =========  ==============
outcome                               side            status code         error?     exception kept
====================================  ==============  ==================  =========  ==============
a result                              both            ok                  no         no
an error that the method declares     caller          error               yes        no
                                      service         error               no         no
a NACK, Refused                       caller          its reason          yes        no
Refused for a mistake of the caller   service         its reason          no         no
Refused for another reason            service         its reason          yes        no
any other error of the method         service         failed              yes        yes
Timeout, NotConnected, ...            caller          timeout, ...        yes        no
Cancelled                             both            cancelled           caller's   no
====================================  ==============  ==================  =========  ==============

``error.type`` is set in all cases but the first: the name of a declared error, the status code, or
the class of the exception. An exception is kept as an event of the span, with its traceback, where
it was raised and nowhere else; its text on the other side is that of the status.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import Span, Status, StatusCode

from lymph.config.printable import printable
from lymph.core._calling.figures import ending
from lymph.core.failures import Killed, error_line, error_name, error_text, traceback_text
from lymph.core.interceptors import Work
from lymph.exceptions import Cancelled, Refused, RemoteError
from lymph.plugins._opentelemetry.names import (
    ERROR_TYPE,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
    RPC_STATUS,
)

__all__ = ['OK', 'call_failed', 'handling_failed', 'keep', 'request_failed']

OK: Final = 'ok'

#: reasons that are a mistake of the caller, as 4xx is in HTTP
_MISTAKES: Final = frozenset(
    {'forbidden', 'invalid_arguments', 'malformed', 'unknown_method', 'unknown_version'}
)
_TRACEBACK = 16 * 1024  # characters; its end says most
_NAME = 200  # characters of the name of an error that a peer has sent


def call_failed(span: Span, error: BaseException) -> None:
    """Note on the span of a caller how its call has failed."""
    outcome, reason = ending(error)
    code = reason if outcome == 'nack' else outcome
    kind = code
    if isinstance(error, RemoteError):
        kind = printable(error.type or code, _NAME)
    elif outcome == 'other':  # such as an error of an interceptor
        kind = error_name(error)
    span.set_attribute(RPC_STATUS, code)
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR, error_line(error)))


def request_failed(span: Span, work: Work, error: BaseException) -> None:
    """Note on the span of a service how a request has failed."""
    if isinstance(error, Killed):
        _end(span, 'failed', 'killed', 'the service stopped while it ran')
    elif isinstance(error, Cancelled):
        _end(span, 'cancelled', 'cancelled')
    elif isinstance(error, Refused) and error.endpoint is None:
        _, reason = ending(error)
        _end(span, reason, reason, None if reason in _MISTAKES else error_line(error))
    elif work.raises and isinstance(error, work.raises):
        _end(span, 'error', error_name(error))
    else:
        _end(span, 'failed', error_name(error), error_line(error))
        keep(span, error)


def handling_failed(span: Span, error: BaseException) -> None:
    """Note on a span that an event or a task has failed, or that an event was not emitted."""
    if isinstance(error, Killed):
        _end(span, None, 'killed', 'the service stopped while it ran')
    else:
        _end(span, None, error_name(error), error_line(error))
        keep(span, error)


def keep(span: Span, error: BaseException) -> None:
    """Keep an exception as an event of the span.

    `Span.record_exception` would raise what `str(error)` raises.
    """
    facts = {
        EXCEPTION_TYPE: error_name(error),
        EXCEPTION_MESSAGE: error_text(error),
        EXCEPTION_STACKTRACE: traceback_text(error)[-_TRACEBACK:],
    }
    span.add_event(EXCEPTION, facts)


def _end(span: Span, code: str | None, kind: str, error: str | None = None) -> None:
    if code is not None:
        span.set_attribute(RPC_STATUS, code)
    span.set_attribute(ERROR_TYPE, kind)
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, error))
