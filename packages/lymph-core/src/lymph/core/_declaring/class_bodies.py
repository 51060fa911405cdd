"""Notes what decorators declare in the body of a class, so that no declaration gets lost.

A decorator above one of lymph's may return anything: a property, a wrapper made without
`functools.wraps`, None. Its result does not show that there was a declaration, so each one is also
noted in the namespace of the class body that is being run.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final, NamedTuple, Protocol

__all__ = ['Declaration', 'Noted', 'note', 'noted_in']

_NOTED: Final = '_lymph_noted'  # an attribute of the class: a list of `Noted`


class Declaration(Protocol):
    """What a decorator makes of a function, or an attribute that declares itself."""

    @property
    def kind(self) -> str:
        """The name of the decorator: rpc, event..."""


class Noted(NamedTuple):
    """A declaration made in the body of a class; `name` is that of its function."""

    name: str
    qualname: str
    declaration: Declaration


def note(func: Any, declaration: Declaration) -> None:
    """Note a declaration of `func` in the class body that is being run; without one do nothing."""
    namespace = _class_body()
    if namespace is not None:
        name = getattr(func, '__name__', '')
        qualname = getattr(func, '__qualname__', name)
        namespace.setdefault(_NOTED, []).append(Noted(name, qualname, declaration))


def noted_in(cls: type) -> Sequence[Noted]:
    """Return what was declared in the body of a class itself, in that order."""
    found: Sequence[Noted] = vars(cls).get(_NOTED, ())
    return found


def _class_body() -> dict[str, Any] | None:
    """Return the namespace of the class body that calls this, None outside of one."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - only its frame knows a class that is being made
    while frame is not None:
        # functions have their names in fixed slots, classes and modules in a namespace
        if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            namespace = frame.f_locals
            inside = isinstance(namespace, dict) and namespace is not frame.f_globals
            return namespace if inside and '__qualname__' in namespace else None
        frame = frame.f_back
    return None
