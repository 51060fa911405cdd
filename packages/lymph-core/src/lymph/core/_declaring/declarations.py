"""Declarations: what decorators attach to methods, and how the declarations of a class are found.

A decorated method stays a plain function, which can be called, overridden and tested like any
other. Each method has one declaration: rpc, raw_rpc, event, task, serial_event or resource.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, TypeVar

from lymph.core._declaring.callables import expect_method, name_of
from lymph.core._declaring.class_bodies import Declaration, note
from lymph.core._declaring.signatures import Signature, expect_parameters
from lymph.core._typing.plans import CallTypes, EventTypes
from lymph.core.failures import described

__all__ = [
    'Declaration',
    'EventDeclaration',
    'RpcDeclaration',
    'declaration_of',
    'declare',
    'declared',
    'expect_undeclared',
]

_NOTE = '_lymph_declaration'

F = TypeVar('F', bound=Callable[..., Any])
D = TypeVar('D')


@dataclass(frozen=True)
class RpcDeclaration:
    """A method that can be called from elsewhere.

    `raw`: it answers through the ReplyChannel that it gets as first argument. `raises` are the
    exception classes that callers get as RemoteError. `idempotent`: running it twice does no harm.
    `check`: arguments are checked by their annotations, which `types` reads.
    `cancel`: whether a call that nobody waits for is cancelled; None: as configured.
    Raises TypeError for a function that cannot be such a method.
    """

    func: Callable[..., Any]
    raw: bool = False
    raises: tuple[type[BaseException], ...] = ()
    idempotent: bool = False
    check: bool = True
    cancel: bool | None = None
    signature: Signature = field(init=False, compare=False)
    types: CallTypes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        expect_method(self.func, self.kind)
        filled = ('self', 'channel') if self.raw else ('self',)  # parameters not sent by callers
        expect_parameters(self.func, *filled)
        object.__setattr__(self, 'signature', Signature(self.func, len(filled)))
        object.__setattr__(self, 'types', CallTypes(self.func, len(filled), self.check))

    @property
    def kind(self) -> str:
        """The name of the decorator."""
        return 'raw_rpc' if self.raw else 'rpc'

    @property
    def help(self) -> str:
        """The method's docstring."""
        return inspect.getdoc(self.func) or ''


@dataclass(frozen=True)
class EventDeclaration:
    """A method that handles events; the fields are those of `lymph.events.base.Subscription`.

    `check`: the payload is checked by its annotation, which `types` reads.

    Raises TypeError for a function that does not take self and one event.
    """

    kind = 'event'
    partitioned = False

    func: Callable[..., Any]
    event_types: tuple[str, ...]
    sequential: bool = False
    broadcast: bool = False
    once: bool = False
    retry: int = 0
    queue_name: str | None = None
    check: bool = True
    types: EventTypes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        expect_method(self.func, self.kind)
        expect_parameters(self.func, 'self', 'event', only=True)
        object.__setattr__(self, 'types', EventTypes(self.func, self.check))

    def queue(self, name: str) -> str:
        """Return the queue's name after that of the interface; `name` is the attribute."""
        return self.queue_name or name


def declare(func: F, declaration: Declaration) -> F:
    """Attach `declaration` to `func` and return `func`; raises TypeError if it has one already."""
    expect_undeclared(func)
    try:
        setattr(func, _NOTE, declaration)
    except (AttributeError, TypeError):
        found = f'{described(func)}, which takes no attributes'
        raise TypeError(
            f'{name_of(func)}: expected a method to declare as {declaration.kind}, found {found}'
        ) from None
    note(func, declaration)
    return func


def expect_undeclared(func: object) -> None:
    """Raise TypeError if `func` has a declaration already."""
    known = declaration_of(func)
    if known is not None:
        raise TypeError(
            f'{name_of(func)} is declared as {known.kind} already;'
            ' a method is one of rpc, raw_rpc, event, task, serial_event, resource'
        )


def declaration_of(attribute: object) -> Declaration | None:
    """Return the declaration attached to an attribute of a class, None if there is none."""
    # static: `getattr` could run code of whatever object an author has put on the class
    found: Declaration | None = inspect.getattr_static(attribute, _NOTE, None)
    if found is None and _acts_as_function(attribute):
        try:
            found = getattr(attribute, _NOTE, None)
        except Exception:  # noqa: BLE001 - code of that object
            return None
    return found


def _acts_as_function(attribute: object) -> bool:
    """Tell whether an object is bound like a function and passes on the function's attributes."""
    return (
        not isinstance(attribute, (FunctionType, type))
        and callable(attribute)
        and hasattr(type(attribute), '__get__')
        and hasattr(type(attribute), '__getattr__')
    )


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
