"""Functions that are imported when they are called, so that a command costs what it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lymph.cli._program.collecting import collect_again
from lymph.config import lazy as config_lazy

__all__ = ['lazy']

_load_reference = config_lazy.lazy('lymph.config.references:load_reference')


def lazy(*references: str) -> Callable[..., Any]:
    """Return a function that calls what the last reference names.

    The earlier references name functions that are called before it is imported, without arguments.
    """
    *first, last = references

    def call(*args: Any, **kwargs: Any) -> Any:
        for reference in first:
            _load(reference)()
        function = _load(last)
        collect_again()  # the start is over
        return function(*args, **kwargs)

    return call


def _load(reference: str) -> Callable[..., Any]:
    found = _load_reference(reference)
    if not callable(found):
        raise TypeError(f'{reference!r} is {found!r}, which cannot be called')
    return found  # type: ignore[no-any-return]
