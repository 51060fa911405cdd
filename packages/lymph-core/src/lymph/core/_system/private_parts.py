"""Parts of other libraries that these do not promise: checked before they are used.

Where lymph uses such a part, it asks `as_expected` once, when the module is imported, and has a
second way that needs the library's public names alone. docs/private-parts.md lists all of them::

    if as_expected('gevent', 'Hub.print_exception', lambda: takes(Hub.print_exception, 'self')):
        ...  # the part
    else:
        ...  # what is public

The environment variable `LYMPH_PUBLIC_PARTS_ONLY` forces the public ways: names of distributions,
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
    """Tell whether a part of an installed library may be used.

    `check()` looks at the part; false, AttributeError, ImportError and TypeError mean that it is
    not as expected. That is logged as a warning with the library's name and version. Without a
    warning the answer is False when `LYMPH_PUBLIC_PARTS_ONLY` names the distribution.
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
    """Tell whether a function of Python has parameters of these names, in this order at first.

    Reads the code object: importing `inspect` would take longer than all checks.
    """
    code = _innermost(function).__code__
    return bool(code.co_varnames[: code.co_argcount][: len(names)] == names)


def assigns(function: Any, *names: str) -> bool:
    """Tell whether a function of Python uses or sets attributes of these names."""
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
