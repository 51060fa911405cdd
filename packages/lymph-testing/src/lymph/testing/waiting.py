"""Waiting for a condition instead of for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import gevent

__all__ = ['eventually']

T = TypeVar('T')

_FIRST, _LONGEST = 0.001, 0.05  # seconds between two looks


def eventually(
    condition: Callable[[], T], timeout: float = 5.0, message: str | Callable[[], str] = ''
) -> T:
    """Wait up to `timeout` seconds, cooperatively, until `condition()` is true; return its value.

    A condition may also be a function that asserts: an AssertionError counts as not yet. Raises
    AssertionError that says what was waited for, `message` (text, or a function that is called
    then), and what the condition gave last.
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
        if time.monotonic() >= deadline:
            raise AssertionError(_explain(condition, timeout, message, value, failure)) from failure
        gevent.sleep(pause)
        pause = min(pause * 2, _LONGEST)


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
