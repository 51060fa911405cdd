"""Checks of a function that is subscribed to events at run time."""

from __future__ import annotations

import inspect
import types
from typing import Any

from lymph.config.printable import QUOTED, printable
from lymph.core._declaring.callables import name_of
from lymph.core._work.forms import deferred_form
from lymph.core.failures import described
from lymph.exceptions import SubscriptionError

__all__ = ['takes_interface']


def takes_interface(func: Any) -> bool:
    """Tell whether a handler takes the interface and the event, or only the event.

    Raises SubscriptionError for what cannot be a handler: an object that cannot be called, an async
    or a generator function, one with other parameters, and one that takes ``*args`` and
    ``**kwargs``, as decorators without `functools.wraps` make them.
    """
    problem = (
        deferred_form(func) if callable(func) else f'{described(func)}, which cannot be called'
    )
    if problem:
        raise SubscriptionError(
            f'{name_of(func)}: expected a function to subscribe, found {problem}'
        )
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):  # written in C without a signature
        return False
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    if kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]:
        if isinstance(func, types.FunctionType):
            raise SubscriptionError(
                f'{name_of(func)}: expected the parameter event, or interface and event, found '
                '*args and **kwargs; name them, or use functools.wraps in the decorator'
            )
        return True  # a mock, for example
    for arguments, both in ((('event',), False), (('interface', 'event'), True)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return both
    found = printable(', '.join(signature.parameters) or 'no parameters', QUOTED)
    raise SubscriptionError(
        f'{name_of(func)}: expected the parameter event, or interface and event, found {found}'
    )
