"""Functions whose modules are imported when they are called.

For what few runs of a program need, such as the words of an error, and what takes long to import.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ['lazy']


def lazy(reference: str) -> Callable[..., Any]:
    """Return a function that calls what `pkg.mod:name` names, which is trusted to be there."""
    module, _, name = reference.partition(':')

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call
