"""Checks of what a decorator is applied to, so that a mistake is reported at the decorator."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core.failures import described

__all__ = ['check_retry', 'deferred_form', 'expect_method', 'form_problem', 'name_of']

_NAME: Final = 200  # characters of the name of a function
#: how many callables may lie one within the other, as in ``partial(partial(function))``
_LAYERS: Final = 20

_CACHE: Final = type(functools.lru_cache(len))
#: forms of an attribute that Python does not call with the interface as first argument
_UNBOUND: Final = staticmethod, classmethod, property, functools.cached_property
#: forms that take no attribute, where a declaration could be kept
_BUILTIN: Final = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)


def expect_method(func: object, kind: str) -> None:
    """Raise TypeError unless `func` is a plain method; `kind` (rpc, event, ...) is for the error.

    Async functions are rejected: methods run in greenlets, which wait without `async` and `await`.
    Generator functions are rejected because calling one returns a generator, and nothing would run
    its body.
    """
    problem = form_problem(func)
    if problem:
        raise TypeError(f'{name_of(func)}: expected a method to declare as {kind}, found {problem}')


def form_problem(func: Any) -> str | None:
    """Return what keeps `func` from being called as a method of an interface, None if nothing."""
    if isinstance(func, _UNBOUND):
        return f'a {type(func).__name__}; methods take self, so write a plain `def`'
    if isinstance(func, type):
        return 'a class; declare its methods'
    if isinstance(func, types.MethodType):
        return 'a method of another object; declare a method of this class that calls it'
    problem = deferred_form(func)
    if problem:
        return problem
    # only descriptors such as functions are bound to their interface when they are looked up
    if not (callable(func) and hasattr(type(func), '__get__')) or isinstance(func, _BUILTIN):
        return f'{described(func)}, which is no function; write a `def` that calls it'
    return None


def deferred_form(func: object) -> str | None:
    """Return what `func` is if calling it only makes a coroutine or a generator, None otherwise.

    Objects that return what another callable returns stand for that callable: partial objects,
    caches, methods, objects with `__call__`. Decorated functions do not: a decorator may run the
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


def check_retry(retry: object) -> None:
    """Check a number of retries: raise TypeError unless it is an int, ValueError if negative."""
    if not isinstance(retry, int) or isinstance(retry, bool):
        raise TypeError(f'expected retry as a whole number, found {described(retry)}')
    if retry < 0:
        raise ValueError(f'expected retry >= 0, found {retry}')


def name_of(func: object) -> str:
    """Return the qualified name of a function, for errors; other objects are described."""
    for inner in ('func', 'fget'):  # of partial objects and cached properties; of properties
        if isinstance(func, (functools.partial, functools.partialmethod, *_UNBOUND)):
            func = getattr(func, inner, None) or func
    name = getattr(func, '__qualname__', None)
    return printable(name, _NAME) if isinstance(name, str) else described(func)
