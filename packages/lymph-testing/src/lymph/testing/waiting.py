"""Waiting for a condition instead of for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

__all__ = ['block_loop', 'eventually', 'let_pass']

T = TypeVar('T')

#: Seconds between two checks: the interval doubles from the first to the longest.
_FIRST, _LONGEST = 0.001, 0.05


def eventually(
    condition: Callable[[], T], timeout: float = 5.0, message: str | Callable[[], str] = ''
) -> T:
    """Wait, cooperatively, until `condition()` returns a true value; return that value.

    An AssertionError from the condition counts as not yet true.

    Arguments: `timeout` in seconds (default 5); `message` (text, or a function that returns it)
    stands in the failure in place of the name of the condition.

    Raises AssertionError after `timeout`, with the last result of the condition.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            value = condition()
        except AssertionError as error:
            failure = error
        if failure is None and value:
            return value
        # Check the time last: however long the pause took, a condition that is true now counts.
        if time.monotonic() >= deadline:
            raise AssertionError(_explain(condition, timeout, message, value, failure)) from failure
        gevent.sleep(pause)
        pause = min(pause * 2, _LONGEST)


def let_pass(seconds: float, why: str) -> None:
    """Let some seconds pass, cooperatively, where no condition can be waited for; `why` tells why.

    For a handler that takes its time, a clock that has to go on, or something that must not happen
    and after which nothing observable follows. Everything else waits with `eventually`.
    """
    assert why
    gevent.sleep(seconds)


def block_loop(seconds: float, why: str) -> None:
    """Block the event loop of this thread for some seconds; `why` tells why.

    In a process whose `time` gevent has patched, this is `let_pass`.
    """
    assert why
    time.sleep(seconds)


def _explain(
    condition: Callable[[], object],
    timeout: float,
    message: str | Callable[[], str],
    value: object,
    failure: AssertionError | None,
) -> str:
    code = getattr(condition, '__code__', None)
    name = getattr(condition, '__qualname__', repr(condition))
    where = f' ({code.co_filename}:{code.co_firstlineno})' if code is not None else ''
    last = f'it gave {value!r}' if failure is None else f'it said: {failure}'
    words = message() if callable(message) else message
    return f'{words or name + where} did not come true within {timeout} s; {last}'
