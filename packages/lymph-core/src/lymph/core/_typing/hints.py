"""The annotations of a function as types: text evaluated, names and forward references resolved.

Names are looked up where Python would find them: in the type parameters of the function and of the
class that declares it (``def put[T]``), in this class (its nested classes and aliases), in what the
function closes over, in its module. Names that exist only for type checkers, and classes of a
function that has returned, cannot be found.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lymph.config.printable import printable
from lymph.core._typing.parts import is_alias
from lymph.core.failures import Killed, error_line
from lymph.exceptions import LymphError

__all__ = ['BadAnnotation', 'Hints', 'hint_of', 'hints_of', 'is_open', 'undefined', 'wording']

_TEXT = 200  # characters of an annotation in an error
_ALIASES = 20  # in a chain; `type A = A` is one without an end
#: modules whose objects are aliases, type variables and new types
_OF_ALIASES = frozenset({'typing', 'typing_extensions', 'types'})


class BadAnnotation(LymphError):
    """An annotation that cannot be used; the text says why, and what to write."""


@dataclass(frozen=True)
class Hints:
    """The types of a function, `Any` where there is no annotation.

    `parameters` has the types of the parameters that callers fill, by name, in their order;
    `others` is that of ``**kwargs``, None if there are none. `result` is also `Any` if its
    annotation cannot be resolved: nothing is checked by it.
    """

    parameters: Mapping[str, Any]
    others: Any
    result: Any


def hints_of(func: Callable[..., Any], skip: int = 1, owner: type | None = None) -> Hints:
    """Return the types of a function without its first `skip` parameters.

    `owner` is the class that declares it. Raises BadAnnotation, whose text begins with the
    parameter.
    """
    signature = inspect.signature(func)
    found, others = {}, None
    for parameter in [*signature.parameters.values()][skip:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        hint = hint_of(func, parameter, owner)
        if parameter.kind is parameter.VAR_KEYWORD:
            others = hint
        else:
            found[parameter.name] = hint
    return Hints(found, others, _result(func, signature.return_annotation, owner))


def hint_of(func: Callable[..., Any], parameter: inspect.Parameter, owner: type | None) -> Any:
    """Return the type of one parameter; with the default None it also accepts None.

    Raises BadAnnotation, whose text begins with the parameter.
    """
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return Any
    try:
        hint = _resolved(func, annotation, owner)
    except Killed:
        raise
    except NameError as error:
        raise BadAnnotation(
            f'{parameter.name}: {undefined(error, f"the annotation {wording(annotation)}")}, '
            'define it in the module or the class, or declare the method with check=False'
        ) from error
    except BaseException as error:
        raise BadAnnotation(
            f'{parameter.name}: the annotation {wording(annotation)} cannot be evaluated '
            f'({error_line(error, _TEXT)}); correct it, or declare the method with check=False'
        ) from error
    if parameter.default is None and not is_open(hint):
        with suppress(TypeError):  # an invalid type is rejected later
            return typing.Optional[hint]  # noqa: UP045 - `|` does not take every type
    return hint


def is_open(hint: object) -> bool:
    """Tell whether every value fits a type."""
    return hint is Any or hint is object


def undefined(error: NameError, where: str) -> str:
    """Return what is wrong with a name that cannot be resolved, and the first thing to try."""
    name = printable(str(getattr(error, 'name', None) or error), _TEXT)
    return (
        f'the name {name!r} in {where} is not defined at run time; '
        'import it outside of `if TYPE_CHECKING`'
    )


def wording(annotation: object) -> str:
    """Return an annotation as text for an error."""
    if isinstance(annotation, str):
        return printable(annotation, _TEXT)
    try:
        return printable(inspect.formatannotation(annotation), _TEXT)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - the `repr` of an object of others
        return printable(f'<{type(annotation).__name__} without a repr>', _TEXT)


def _result(func: Callable[..., Any], annotation: object, owner: type | None) -> Any:
    if annotation is inspect.Signature.empty:
        return Any
    try:
        return _resolved(func, annotation, owner)
    except Killed:
        raise
    except BaseException:  # noqa: BLE001 - whatever evaluating it raises
        return Any


def _resolved(func: Callable[..., Any], annotation: object, owner: type | None) -> Any:
    """Return the type that an annotation means; raises what evaluating it raises."""
    plain = _function_in(func)
    names = _type_parameters(owner)
    if owner is not None:
        names.update((n, v) for n, v in vars(owner).items() if _names_a_type(v))
    code, cells = getattr(plain, '__code__', None), getattr(plain, '__closure__', None)
    for name, cell in zip(code.co_freevars if code else (), cells or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    names.update(_type_parameters(plain))

    def evaluated(annotation: object) -> Any:
        noted = types.SimpleNamespace(__annotations__={'hint': annotation})
        known = getattr(plain, '__globals__', {})
        return typing.get_type_hints(noted, known, names, include_extras=True)['hint']

    hint = evaluated(annotation)
    # Python 3.10 leaves `list['Order']` as it is
    referring = _with_references(hint)
    return _without_alias(hint if referring is hint else evaluated(referring))


def _without_alias(hint: Any) -> Any:
    """Return the type for which an alias such as ``type Placed = Event[Order]`` stands."""
    for _ in range(_ALIASES):
        if not is_alias(hint):
            return hint
        hint = hint.__value__
    raise TypeError('the alias refers to itself')


def _with_references(hint: Any) -> Any:
    """Return a type whose members in quotes are references that can be evaluated."""
    args = typing.get_args(hint)
    if not args or typing.get_origin(hint) is typing.Literal:
        return hint
    quoted = isinstance(hint, types.GenericAlias)
    members = tuple(
        typing.ForwardRef(each) if quoted and isinstance(each, str) else _with_references(each)
        for each in args
    )
    if all(new is old for new, old in zip(members, args, strict=True)):
        return hint
    if isinstance(hint, types.UnionType):
        return functools.reduce(operator.or_, members)
    if typing.get_origin(hint) is typing.Annotated:
        return hint.copy_with(members[:1])
    return hint.copy_with(members) if hasattr(hint, 'copy_with') else hint.__origin__[members]


def _function_in(func: Callable[..., Any]) -> Any:
    """Return the function whose annotations `inspect.signature` reads."""
    plain: Any = inspect.unwrap(func)
    while isinstance(plain, functools.partial):
        plain = inspect.unwrap(plain.func)
    if hasattr(plain, '__globals__'):
        return plain
    called = inspect.getattr_static(type(plain), '__call__', plain)  # an object like a function
    return inspect.unwrap(called) if callable(called) else plain


def _type_parameters(declared: Any) -> dict[str, Any]:
    """Return the ``T`` of ``def put[T]`` or ``class Stock[T]`` by name; from Python 3.12 on."""
    return {each.__name__: each for each in getattr(declared, '__type_params__', ())}


def _names_a_type(value: object) -> bool:
    """Tell whether an attribute of a class may be meant in an annotation: a class or an alias.

    Methods are not: in a class with a method `list`, the annotation ``list[int]`` means the type.
    """
    return isinstance(value, type) or type(value).__module__ in _OF_ALIASES
