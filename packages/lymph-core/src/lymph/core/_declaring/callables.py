"""Checks of what a decorator is applied to, so that a mistake is reported at the decorator."""

from __future__ import annotations

import inspect

from lymph.core.failures import described

__all__ = ['check_retry', 'expect_method']


def expect_method(func: object, kind: str) -> None:
    """Raise TypeError unless `func` is a plain method; `kind` (rpc, event, ...) is for the error.

    Async functions are rejected: methods run in greenlets, which wait without `async` and `await`.
    Generator functions are rejected because calling one returns a generator, and nothing would run
    its body.
    """
    name = getattr(func, '__qualname__', None) or described(func)
    problem = _problem(func)
    if problem:
        raise TypeError(f'{name}: expected a method to declare as {kind}, found {problem}')


def check_retry(retry: object) -> None:
    """Check a number of retries: raise TypeError unless it is an int, ValueError if negative."""
    if not isinstance(retry, int) or isinstance(retry, bool):
        raise TypeError(f'expected retry as a whole number, found {described(retry)}')
    if retry < 0:
        raise ValueError(f'expected retry >= 0, found {retry}')


def _problem(func: object) -> str | None:
    if isinstance(func, (staticmethod, classmethod, property)):
        return f'a {type(func).__name__}; methods take self'
    if isinstance(func, type):
        return 'a class; declare its methods'
    if inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
        return 'an async function; write `def` and call what waits directly'
    if inspect.isgeneratorfunction(func):
        return 'a generator function; return a list, or do the work in the method'
    # only descriptors such as functions are bound to their interface when they are looked up
    if not (callable(func) and hasattr(type(func), '__get__') and hasattr(func, '__name__')):
        return f'{described(func)}, which is no function'
    return None
