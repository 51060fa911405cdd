"""Functions that are imported when they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lymph.config.references import load_reference

__all__ = ['lazy']


def lazy(*references: str) -> Callable[..., Any]:
    """Return a function that calls what the last reference names.

    The earlier references name functions that are called before it is imported, without arguments.
    """
    *first, last = references

    def call(*args: Any, **kwargs: Any) -> Any:
        for reference in first:
            _load(reference)()
        return _load(last)(*args, **kwargs)

    return call


def _load(reference: str) -> Callable[..., Any]:
    found = load_reference(reference)
    if not callable(found):
        raise TypeError(f'{reference!r} is {found!r}, which cannot be called')
    return found
