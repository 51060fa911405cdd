"""Checks of private parts of other libraries before lymph uses them.

Code that uses such a part calls `as_expected` once, when its module is imported, and falls back to
the public names of the library. docs/private-parts.md lists all parts::

    if as_expected('gevent', 'Hub.print_exception', lambda: takes(Hub.print_exception, 'self')):
        ...  # the part
    else:
        ...  # the public names

The environment variable `LYMPH_PUBLIC_PARTS_ONLY` forces the fall-back: names of distributions,
separated by commas (``amqp,redis``), or ``all``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lymph.config.distributions import version
from lymph.config.lazy import lazy

__all__ = ['VARIABLE', 'as_expected', 'assigns', 'takes']

VARIABLE = 'LYMPH_PUBLIC_PARTS_ONLY'

_logger = lazy('logging:getLogger')


def as_expected(distribution: str, part: str, check: Callable[[], bool]) -> bool:
    """Tell whether a private part of an installed library is as expected and may be used.

    `check()` examines the part. If it returns False or raises AttributeError, ImportError or
    TypeError, a warning with the library's name and version is logged and False is returned. If
    `LYMPH_PUBLIC_PARTS_ONLY` names the distribution, False is returned without a warning.
    """
    forced = os.environ.get(VARIABLE)
    if forced and not {'all', distribution}.isdisjoint(forced.replace(' ', '').split(',')):
        return False
    try:
        found = check()
    except (AttributeError, ImportError, TypeError):
        found = False
    if not found:
        _logger(__name__).warning(
            '%s %s: %s is not as expected, so lymph goes the slower way of public names; install '
            'a version that docs/private-parts.md lists',
            distribution,
            _version(distribution),
            part,
        )
    return found


def takes(function: Any, *names: str) -> bool:
    """Tell whether the first parameters of a Python function have these names, in this order.

    Reads the code object, since importing `inspect` would take longer than all checks.
    """
    code = _innermost(function).__code__
    return bool(code.co_varnames[: code.co_argcount][: len(names)] == names)


def assigns(function: Any, *names: str) -> bool:
    """Tell whether a Python function reads or sets attributes (or globals) of these names."""
    return set(names) <= set(_innermost(function).__code__.co_names)


def _innermost(function: Any) -> Any:
    while hasattr(function, '__wrapped__'):
        function = function.__wrapped__
    return function


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except LookupError:
        return '(unknown version)'
