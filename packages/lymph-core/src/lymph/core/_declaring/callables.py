"""Checks of what a decorator is applied to, so that a mistake is reported at the decorator."""

from __future__ import annotations

import functools
import types
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core._work.forms import deferred_form
from lymph.core.failures import described

__all__ = ['check_flags', 'check_retry', 'expect_method', 'form_problem', 'name_of']

_NAME: Final = 200  # characters of the name of a function
#: forms of an attribute that Python does not call with the interface as first argument
_UNBOUND: Final = staticmethod, classmethod, property, functools.cached_property
#: callables to which no attribute, and so no declaration, can be attached
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
    # only descriptors such as functions are bound to their interface when they are looked up;
    # partial objects are not, although they have `__get__` in Python 3.13, where it warns
    unbound = isinstance(func, (*_BUILTIN, functools.partial))
    if unbound or not (callable(func) and hasattr(type(func), '__get__')):
        return f'{described(func)}, which is not a function; write a `def` that calls it'
    return None


def check_flags(**flags: object) -> None:
    """Raise TypeError unless each argument is True or False: any text would count as True."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeError(f'expected {name} as True or False, found {described(flag)}')


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
