"""Finds functions that only return a coroutine or a generator, which nothing would run."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, Final

from lymph.config.printable import printable

__all__ = ['check_hooks', 'deferred_form', 'expect_done']

_NAME: Final = 200  # characters of the name of a class
#: how deeply callables may be nested, as in ``partial(partial(function))``
_LAYERS: Final = 20
_CACHE: Final = type(functools.lru_cache(len))
#: methods that authors override and lymph calls
_HOOKS: Final = (
    'apply_config',
    'instance_facts',
    'is_healthy',
    'on_drain',
    'on_start',
    'on_stop',
)


def check_hooks(cls: type) -> None:
    """Raise TypeError if a hook of a component is an async or a generator function."""
    ours = [base for base in cls.__mro__ if base.__module__.partition('.')[0] == 'lymph']
    for name in _HOOKS:
        found = inspect.getattr_static(cls, name, None)
        problem = None if found is None else deferred_form(found)
        if problem is not None and any(name in vars(base) for base in ours):
            raise TypeError(
                f'{printable(cls.__qualname__, _NAME)}.{name}: '
                f'lymph calls this method itself, and it is {problem}'
            )


def expect_done(result: object) -> None:
    """Raise TypeError if a handler has returned a coroutine or a generator, which nothing runs.

    The check at the declaration misses async functions that a decorator hides.
    """
    if isinstance(result, (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)):
        if isinstance(result, types.CoroutineType):
            result.close()  # otherwise Python warns that it was never awaited
        raise TypeError(
            f'expected the work to be done, found a {type(result).__name__}, which nothing runs; '
            'declare a plain `def`'
        )


def deferred_form(func: object) -> str | None:
    """Describe `func` if calling it only returns a coroutine or a generator, otherwise None.

    Objects that return the result of another callable count as that callable: partial objects,
    caches, methods, objects with `__call__`. Decorated functions do not: the decorator may run the
    coroutine, or make a list of what the generator yields.
    """
    for _ in range(_LAYERS):
        if inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            return 'an async function; write `def` and call what waits directly'
        if inspect.isgeneratorfunction(func):
            return 'a generator function; return a list, or do the work in the method'
        inner = _called(func)
        if inner is None:
            return None
        func = inner
    return None


def _called(func: Any) -> object:
    """Return the callable whose result `func` returns as it is, None if there is none."""
    if isinstance(func, (functools.partial, functools.partialmethod)):
        return func.func
    if isinstance(func, (types.MethodType, staticmethod, classmethod)):
        return func.__func__
    if isinstance(func, _CACHE):
        return func.__wrapped__
    if isinstance(func, (types.FunctionType, type)):
        return None
    call = inspect.getattr_static(type(func), '__call__', None)
    return call if isinstance(call, types.FunctionType) else None
