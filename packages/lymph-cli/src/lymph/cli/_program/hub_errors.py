"""Errors that gevent would print on stderr by itself, logged instead.

gevent prints whatever ends a greenlet or a callback of its loop, and also what a function raises
that runs in a thread of its pool, although the caller of that function gets the error as well.
"""

from __future__ import annotations

import functools
import logging
from types import TracebackType

import gevent
from gevent.hub import Hub

from lymph.core._system.private_parts import as_expected, takes
from lymph.core.failures import described, log_failure

__all__ = ['log_hub_errors']

logger = logging.getLogger(__name__)


def log_hub_errors() -> None:
    """Log the errors of greenlets and of the loop; those that somebody waits for at debug.

    gevent documents that applications may set `Hub.handle_error`, which also decides what ends the
    process; `print_exception`, which it calls, has the same arguments. If that is gone, gevent goes
    on printing.
    """
    if as_expected('gevent', 'Hub.print_exception', _is_expected):
        gevent.get_hub().print_exception = _log  # type: ignore[method-assign, assignment]


def _is_expected() -> bool:
    return takes(Hub.print_exception, 'self', 'context', 't', 'v', 'tb')


def _log(
    context: object,
    kind: type[BaseException] | None,
    error: BaseException | str | None,
    traceback: TracebackType | None,
) -> None:
    """Log an error; the signature is that of gevent's `Hub.print_exception`."""
    if not isinstance(error, BaseException):
        return
    level = logging.ERROR
    if isinstance(context, tuple):  # a worker thread and the function that it ran
        context = context[-1]
        # lymph waits for all that it runs in threads
        level = logging.DEBUG if _is_of_lymph(context) else logging.ERROR
    log_failure(logger, error, '%s failed', described(context), level=level)


def _is_of_lymph(func: object) -> bool:
    while isinstance(func, functools.partial):
        func = func.func
    return str(getattr(func, '__module__', '')).partition('.')[0] == 'lymph'
