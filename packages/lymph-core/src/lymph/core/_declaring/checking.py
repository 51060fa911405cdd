"""Checks each interface class when it is defined: everything that it declares must work.

Each error is a TypeError of one line: the class and the name, what was found, what to write.

=============================================  =====================================================
a declared method                              is called with the interface as first argument, so it
                                               is no staticmethod, property, async function...
a declaration                                  is found on the class: no other decorator has lost it
a name                                         is declared once in a class body, and is not one that
                                               interfaces use themselves
a queue                                        belongs to one handler or task
a hook, such as `on_start`                     is not async or a generator, which nothing would run
=============================================  =====================================================
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any, Final

from lymph.config.printable import printable
from lymph.core._declaring.callables import form_problem, name_of
from lymph.core._declaring.class_bodies import Noted, noted_in
from lymph.core._declaring.declarations import Declaration, declaration_of
from lymph.core._declaring.own_queues import check_queues
from lymph.core._work.forms import deferred_form
from lymph.core.failures import described

__all__ = ['check_class', 'is_reserved', 'own_names']

_NAME: Final = 200  # characters of a name
#: methods for authors that lymph does not use itself: authors may replace them
_OFFERED: Final = frozenset(
    {
        'add_component',
        'config',
        'get_next_event',
        'proxy',
        'request',
        'spawn',
        'subscribe',
        'unsubscribe',
        'url_for',
    }
)
_ABSENT: Final = object()
_OF_INSTANCES: Final = object()  # the value of an attribute that only instances have
_COMPUTED: Final = frozenset({'methods', 'event_handlers', 'tasks'})  # set when a class is made


def check_class(cls: type) -> None:
    """Raise TypeError if an interface class declares something that cannot work; see above."""
    own = own_names(cls)
    declarations = {}
    for name, attribute, definer in _attributes(cls):
        declaration = declaration_of(attribute)
        problem = None if _is_ours(definer) else _name_problem(name, attribute, own)
        if problem is None and declaration is not None:
            declarations[name] = declaration
            problem = _form_problem(attribute, declaration)
        if problem is not None:
            raise TypeError(f'{_where(cls, name)}: {problem}')
    for definer in cls.__mro__:
        _check_noted(definer)
    check_queues(printable(cls.__qualname__, _NAME), declarations)


def own_names(cls: type) -> dict[str, object]:
    """Return the attributes of lymph's own classes that lymph uses itself, with their values."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if _is_ours(base):
            found.update(dict.fromkeys(inspect.get_annotations(base), _OF_INSTANCES))
            found.update(vars(base))
    return {name: value for name, value in found.items() if name not in _OFFERED}


def is_reserved(cls: type, name: str) -> bool:
    """Tell whether lymph uses a name itself, or defines the attribute of a class with this name."""
    definer = next((base for base in cls.__mro__ if name in vars(base)), None)
    return name in own_names(cls) or (definer is not None and _is_ours(definer))


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition('.')[0] == 'lymph'


def _where(cls: type, name: str) -> str:
    return f'{printable(cls.__qualname__, _NAME)}.{printable(name, _NAME)}'


def _attributes(cls: type) -> Iterator[tuple[str, Any, type]]:
    """Yield each attribute with its name and the class that defines it, except for `object`."""
    seen = set()
    for definer in cls.__mro__[:-1]:
        for name, attribute in vars(definer).items():
            if name not in seen:
                seen.add(name)
                yield name, attribute, definer


def _name_problem(name: str, attribute: Any, own: dict[str, object]) -> str | None:
    """Return what is wrong with an attribute of this name in an author's class, None if nothing."""
    declaration = declaration_of(attribute)
    replaced = own.get(name, _ABSENT)
    if declaration is not None:
        return _declared_name_problem(name, declaration, replaced)
    if replaced is _ABSENT or declaration_of(replaced) is not None:
        return None
    taken = 'interfaces use this name themselves; choose another one'
    if name in _COMPUTED:
        return None if isinstance(attribute, types.MappingProxyType) else taken
    if isinstance(attribute, (types.FunctionType, functools.partialmethod)):
        if not callable(replaced):  # the framework expects a value there
            return taken
        problem = deferred_form(attribute)
        if problem is not None:
            return f'lymph calls this method itself, and it is {problem}'
    read_only = isinstance(attribute, property) and attribute.fset is None
    if replaced is _OF_INSTANCES and (
        read_only or isinstance(attribute, functools.cached_property)
    ):
        found = f'found a {type(attribute).__name__} without a setter'
        return f'interfaces set this name themselves, {found}; choose another one'
    return None


def _declared_name_problem(name: str, declaration: Declaration, replaced: object) -> str | None:
    if name.startswith('__') and name.endswith('__'):
        return f'Python uses this name itself; give the {declaration.kind} another one'
    if not name or '.' in name or not name.isprintable():
        return f'expected the name of a {declaration.kind} as printable text without dots'
    if replaced is not _ABSENT and declaration_of(replaced) is None:
        return f'interfaces use this name themselves; give the {declaration.kind} another one'
    return None


def _form_problem(attribute: Any, declaration: Declaration) -> str | None:
    """Return why a declared attribute cannot be called as a method, None if it can."""
    if attribute is declaration:  # a descriptor, such as a task
        return None
    if _is_descriptor(declaration):
        return f'another decorator hides the {declaration.kind}; {_advice(declaration)}'
    problem = form_problem(attribute)
    return problem and f'expected a method declared as {declaration.kind}, found {problem}'


def _check_noted(cls: type) -> None:
    """Raise TypeError if a declaration in the body of a class got lost."""
    noted = noted_in(cls)
    kept = {id(declaration_of(each)) for each in vars(cls).values()} if noted else set()
    for each in noted:
        problem = None if id(each.declaration) in kept else _loss(each, cls)
        if problem is not None:
            raise TypeError(f'{_where(cls, each.name)}: {problem}')


def _loss(noted: Noted, cls: type) -> str | None:
    """Return how a declaration without an attribute got lost, None if it was deleted."""
    attributes = vars(cls)
    kind, advice = noted.declaration.kind, _advice(noted.declaration)
    found = attributes.get(noted.name, _ABSENT)
    if found is _ABSENT:
        if noted.qualname == f'{cls.__qualname__}.{noted.name}':
            return None  # deleted in the body
        return f'this {kind} is declared in the class but not found in it; {advice}'
    other = declaration_of(found)
    if other is not None:
        both = f'as {kind} and as {other.kind}' if kind != other.kind else f'as {kind}'
        return f'declared twice, {both}; give one of them another name'
    if isinstance(found, (staticmethod, classmethod, property, functools.cached_property)):
        return _form_problem(found, noted.declaration)
    if isinstance(found, types.FunctionType) and found.__qualname__ == noted.qualname:
        return f'a second definition replaces the {kind}; give one of them another name'
    made = name_of(found) if isinstance(found, types.FunctionType) else described(found)
    return f'the decorator above @{kind} returns {made} without the declaration; {advice}'


def _advice(declaration: Declaration) -> str:
    above = f'write @{declaration.kind} above other decorators'
    # a wrapper of a descriptor would be a function and no descriptor
    return above if _is_descriptor(declaration) else f'{above}, or use functools.wraps in them'


def _is_descriptor(declaration: Declaration) -> bool:
    return hasattr(type(declaration), '__get__')
