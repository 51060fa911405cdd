"""Finds the method of an interface object that belongs to a declaration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lymph.core.failures import described
from lymph.exceptions import ConfigurationError

__all__ = ['bound']


def bound(interface: object, name: str) -> Callable[..., Any]:
    """Return the method `name`; raises ConfigurationError if the object has a value instead.

    Authors may replace a method of one object by another callable, for example in `__init__`.
    """
    method = getattr(interface, name)
    if not callable(method):
        cls = type(interface).__qualname__
        raise ConfigurationError(
            f'{cls}.{name} is declared as a method, but the interface has set self.{name} to '
            f'{described(method)}; give one of them another name'
        )
    return method  # type: ignore[no-any-return]
