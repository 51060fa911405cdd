"""Declarations: what decorators attach to methods, and how the declarations of a class are found.

A decorated method stays a plain function, which can be called, overridden and tested like any
other. Each method has one declaration: rpc, raw_rpc, event, task or serial_event.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from lymph.core._declaring.callables import expect_method
from lymph.core._declaring.signatures import Signature, expect_parameters

__all__ = ['EventDeclaration', 'RpcDeclaration', 'declaration_of', 'declare', 'declared']

_NOTE = '_lymph_declaration'

F = TypeVar('F', bound=Callable[..., Any])
D = TypeVar('D')


@dataclass(frozen=True)
class RpcDeclaration:
    """A method that can be called from elsewhere.

    `raw`: it answers through the ReplyChannel that it gets as first argument. `raises` are the
    exception classes that callers get as RemoteError. `idempotent`: running it twice does no harm.
    Raises TypeError for a function that cannot be such a method.
    """

    kind = 'rpc'

    func: Callable[..., Any]
    raw: bool = False
    raises: tuple[type[BaseException], ...] = ()
    idempotent: bool = False
    signature: Signature = field(init=False, compare=False)

    def __post_init__(self) -> None:
        expect_method(self.func, 'raw_rpc' if self.raw else 'rpc')
        filled = ('self', 'channel') if self.raw else ('self',)  # parameters not sent by callers
        expect_parameters(self.func, *filled)
        object.__setattr__(self, 'signature', Signature(self.func, len(filled)))

    @property
    def name(self) -> str:
        """The method's name."""
        return self.func.__name__

    @property
    def help(self) -> str:
        """The method's docstring."""
        return inspect.getdoc(self.func) or ''


@dataclass(frozen=True)
class EventDeclaration:
    """A method that handles events; the fields are those of `lymph.events.base.Subscription`.

    Raises TypeError for a function that does not take self and one event.
    """

    kind = 'event'

    func: Callable[..., Any]
    event_types: tuple[str, ...]
    sequential: bool = False
    broadcast: bool = False
    once: bool = False
    retry: int = 0
    queue_name: str | None = None

    def __post_init__(self) -> None:
        expect_method(self.func, self.kind)
        expect_parameters(self.func, 'self', 'event')

    @property
    def name(self) -> str:
        """The handler's name."""
        return self.func.__name__


class _Declaration(Protocol):
    @property
    def kind(self) -> str: ...


def declare(func: F, declaration: _Declaration) -> F:
    """Attach `declaration` to `func` and return `func`; raises TypeError if it has one already."""
    known = getattr(func, _NOTE, None)
    if known is not None:
        raise TypeError(
            f'{func.__qualname__} is declared as {known.kind} already;'
            ' a method is one of rpc, raw_rpc, event, task, serial_event'
        )
    setattr(func, _NOTE, declaration)
    return func


def declaration_of(attribute: object) -> object:
    """Return the declaration attached to an attribute of a class, None if there is none."""
    # static: `getattr` could run code of whatever object an author has put on the class
    return inspect.getattr_static(attribute, _NOTE, None)


def declared(cls: type, kind: type[D]) -> dict[str, D]:
    """Return the declarations of one kind in a class and its bases, by attribute name.

    If a subclass overrides a method, only the declaration of the override counts; an override
    without one removes it.
    """
    found = {}
    for name in dir(cls):
        note = declaration_of(inspect.getattr_static(cls, name))
        if isinstance(note, kind):
            found[name] = note
    return found
