"""Functions whose modules are imported on their first call.

For code that few runs of a program need, such as the words of an error, and that takes long to
import.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ['lazy']


def lazy(reference: str) -> Callable[..., Any]:
    """Return a function that calls the one that `pkg.mod:name` names.

    The reference is not checked before the call, which raises what `importlib.import_module` and
    `getattr` raise if it is wrong. Annotate the result: `f: Callable[[str], int] = lazy('a:f')`.
    """
    module, _, name = reference.partition(':')

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call
