"""Accepts annotations whose values msgspec can check and serializers can send."""

from __future__ import annotations

import collections
import collections.abc
import re
import typing
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final, NamedTuple

import msgspec
import msgspec.inspect as nodes

from lymph.core._typing.hints import BadAnnotation, undefined, wording
from lymph.core._typing.parts import all_parts, endless_alias
from lymph.core.failures import Killed, error_line, error_text

__all__ = ['Needs', 'alternatives', 'check_hint', 'is_mapping', 'needs_of']

_ADVICE: Final = 'or declare the method with check=False'
_TEXT: Final = 300  # characters of an error of msgspec
_BYTES: Final = (nodes.BytesType, nodes.ByteArrayType, nodes.MemoryViewType)

_NO_MEMBERS: Final = (
    nodes.ListType,
    nodes.SetType,
    nodes.DictType,
    nodes.TypedDictType,
    nodes.DataclassType,
    nodes.StructType,
)

_ANY_TYPE: Final = (
    'a builtin type, a dataclass, TypedDict, NamedTuple, Enum, attrs class, msgspec.Struct or '
    'pydantic model'
)
#: what authors annotate without thinking of checks -> what to write instead
_INSTEAD: Final[dict[Any, str]] = {
    collections.abc.Iterable: 'list or Sequence',
    collections.abc.Iterator: 'list or Sequence',
    collections.abc.Generator: 'list or Sequence',
    collections.abc.Reversible: 'list or Sequence',
    collections.abc.Container: 'list, Sequence or Collection',
    collections.deque: 'list or Sequence',
    collections.OrderedDict: 'dict or Mapping',
    collections.defaultdict: 'dict or Mapping',
    collections.Counter: 'dict or Mapping',
}

#: what msgspec says -> what we say
_REASONS: Final = [
    (
        r'more than one (dataclass or attrs type|dict-like type|Struct type)|Structs? with the same'
        r'|must be tagged|dict-like',
        'values of its classes cannot be told apart; write one of them, or classes of '
        'msgspec.Struct with tag=True',
    ),
    (r'array-like', 'all of its lists, sets and tuples are sent as lists; write one of them'),
    (
        r'str-like',
        'text, dates, UUID, Decimal, bytes and an Enum or Literal of text may all come as text; '
        'write one of them',
    ),
    (r'int-like', 'an Enum or Literal of whole numbers cannot be told from int; write one of them'),
    (r'custom type', 'such a class can only be in a union with None'),
    (r'Enums must contain', 'the values of an Enum have to be all text or all whole numbers'),
    (r'InitVar', 'a dataclass with InitVar cannot be made from its fields; remove the InitVar'),
]


def check_hint(name: str, hint: Any) -> None:
    """Raise BadAnnotation unless values of a type can be checked, sent and received.

    The text begins with `name`, the parameter.
    """
    try:
        endless = endless_alias(hint)
        if endless is not None:
            raise BadAnnotation(
                f'{name}: in the annotation {wording(hint)}, the alias {wording(endless)} refers to'
                f' itself, and only classes can; write Any or a class in its place, {_ADVICE}'
            )
        msgspec.msgpack.Decoder(hint)
        found = _all_in(nodes.type_info(hint), set())
        problem = next(filter(None, map(_problem, found)), None)
    except (Killed, BadAnnotation):
        raise
    except BaseException as error:
        raise BadAnnotation(f'{name}: {_reason(hint, error)}, {_ADVICE}') from error
    if problem is not None:
        raise BadAnnotation(f'{name}: in the annotation {wording(hint)}, {problem}, {_ADVICE}')


def is_mapping(hint: Any) -> bool:
    """Tell whether a type that `check_hint` accepts allows mappings, as all payloads are."""
    return any(
        isinstance(
            node,
            (
                nodes.AnyType,
                nodes.CustomType,
                nodes.DataclassType,
                nodes.DictType,
                nodes.TypedDictType,
            ),
        )
        or (isinstance(node, nodes.StructType) and not node.array_like)
        for node in alternatives(nodes.type_info(hint))
    )


class Needs(NamedTuple):
    """What the conversion to a type needs besides the defaults of msgspec."""

    bytes: bool  # text must not be read as base64
    keys: bool  # keys of mappings may be numbers in text
    classes: bool  # there are classes that msgspec does not know


def needs_of(hint: Any) -> Needs:
    """Return what a type that `check_hint` accepts needs."""
    found = list(_all_in(nodes.type_info(hint), set()))
    text = (nodes.StrType, nodes.AnyType)
    return Needs(
        any(isinstance(each, _BYTES) for each in found),
        any(
            isinstance(each, nodes.DictType) and not isinstance(each.key_type, text)
            for each in found
        ),
        any(isinstance(each, nodes.CustomType) for each in found),
    )


def alternatives(node: Any) -> Iterator[Any]:
    """Yield the members of a union, or another type itself, both without `Annotated`."""
    if isinstance(node, nodes.Metadata):
        yield from alternatives(node.type)
    elif isinstance(node, nodes.UnionType):
        for each in node.types:
            yield from alternatives(each)
    else:
        yield node


def _reason(hint: Any, error: BaseException) -> str:
    if isinstance(error, NameError):
        return undefined(error, f'a class of the annotation {wording(hint)}')
    if str(typing.get_origin(hint)).endswith('.Unpack'):
        return f'the keys of {wording(hint)} cannot be checked; write them as parameters'
    said = error_text(error, _TEXT) if isinstance(error, TypeError) else error_line(error, _TEXT)
    if 'custom type' in said:
        problem = next(filter(None, map(_class_problem, all_parts(hint))), None)
        if problem is not None:
            return f'in the annotation {wording(hint)}, {problem}'
    for pattern, reason in _REASONS:
        if re.search(pattern, said):
            return f'expected a type that can be checked, found {wording(hint)}: {reason}'
    found = re.sub(r' - type `.*$', '', ' '.join(said.split()))
    if 'is not supported' in found:
        return f'expected a type that can be checked, found {wording(hint)}; write another one'
    return f'expected a type that can be checked, found {wording(hint)}: {found}; correct it'


def _problem(node: Any) -> str | None:
    """Return what is wrong with a type, not with those inside of it."""
    cls = getattr(node, 'cls', None)
    if isinstance(node, nodes.CustomType):
        if cls is not object and not hasattr(cls, '__pydantic_validator__'):
            return f'{wording(cls)} is not a type that can be checked; write {_instead_of(cls)}'
    elif isinstance(node, nodes.DataclassType) and hasattr(cls, '__pydantic_validator__'):
        return f'{wording(cls)} is a dataclass of pydantic; write a pydantic.BaseModel'
    elif isinstance(node, nodes.TimeDeltaType):
        return 'a timedelta cannot be sent; write float, a number of seconds'
    elif isinstance(node, (nodes.SetType, nodes.FrozenSetType)) and not _is_member(node.item_type):
        return 'a list, set or mapping cannot be a member of a set; write a list of them'
    elif isinstance(node, nodes.DictType) and not _is_member(node.key_type):
        return 'a list, set or mapping cannot be a key; write text, a number or a tuple'
    elif isinstance(node, (nodes.ExtType, nodes.RawType)):
        return f'{type(node).__name__} is not a type of values'
    return None


def _class_problem(hint: Any) -> str | None:
    """Return what is wrong with a type that may be one of a union, which msgspec refuses whole."""
    try:
        return _problem(nodes.type_info(hint))
    except TypeError:  # a type variable, or a union itself
        return None


def _instead_of(cls: Any) -> str:
    if isinstance(cls, type) and issubclass(cls, PurePath):
        return 'str'
    plain = typing.get_origin(cls) or cls
    return next((instead for known, instead in _INSTEAD.items() if known is plain), _ANY_TYPE)


def _is_member(node: Any) -> bool:
    """Tell whether values of a type may be members of a set and keys, on both sides."""
    if isinstance(node, (nodes.TupleType, nodes.VarTupleType, nodes.UnionType)):
        return all(map(_is_member, _inside(node)))
    if isinstance(node, nodes.Metadata):
        return _is_member(node.type)
    return not isinstance(node, _NO_MEMBERS)


def _all_in(node: Any, seen: set[int]) -> Iterator[Any]:
    """Yield a type and all of which it is made, each once."""
    if id(node) not in seen:
        seen.add(id(node))
        yield node
        for each in _inside(node):
            yield from _all_in(each, seen)


def _inside(node: Any) -> Iterator[Any]:
    """Yield the types of which a type is made."""
    for name in ('type', 'key_type', 'value_type', 'item_type'):
        inner = getattr(node, name, None)
        if isinstance(inner, nodes.Type):
            yield inner
    for name in ('types', 'item_types', 'fields'):
        for inner in getattr(node, name, ()):
            yield inner.type if isinstance(inner, nodes.Field) else inner
