"""The types that a type names, found before msgspec looks at it: aliases that never end.

msgspec follows an alias that refers to itself, such as ``type Rows = list[Rows]``, for ever. Only a
class may refer to itself: msgspec and its schema know it by its name.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

__all__ = ['all_parts', 'endless_alias', 'is_alias']

#: modules whose classes of the name TypeAliasType are aliases
_OF_ALIASES = frozenset({'typing', 'typing_extensions'})


def is_alias(hint: object) -> bool:
    """Tell whether a type is what ``type Name = ...`` makes."""
    cls = type(hint)
    return cls.__name__ == 'TypeAliasType' and cls.__module__ in _OF_ALIASES


def endless_alias(hint: Any) -> Any:
    """Return an alias of a type that refers to itself, and not through a class; None if none does.

    Raises what evaluating an alias raises.
    """
    classes: list[Any] = [hint]
    seen: set[int] = set()
    for each in classes:  # it grows
        found = _endless(each, [], seen, classes)
        if found is not None:
            return found
    return None


def all_parts(hint: Any) -> Iterator[Any]:
    """Yield a type, those that it names, those that they name, and so on, each once."""
    waiting, seen = [hint], set()
    for each in waiting:  # it grows
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*_named(each), *_fields(each)]


def _endless(hint: Any, above: list[Any], seen: set[int], classes: list[Any]) -> Any:
    """Return an alias that leads to itself or to one of those `above`; note classes for later."""
    alias = _alias(hint)
    if alias is not None and any(alias is each for each in above):
        return alias
    if alias is hint and id(alias) in seen:
        return None
    members = list(typing.get_args(hint))
    found = next(filter(None, (_endless(each, above, seen, classes) for each in members)), None)
    if found is None and alias is not None and id(alias) not in seen:
        found = _endless(alias.__value__, [*above, alias], seen, classes)
        seen.add(id(alias))
    cls = typing.get_origin(hint) or hint
    if isinstance(cls, type) and id(cls) not in seen:
        seen.add(id(cls))
        classes += _fields(cls)
    return found


def _alias(hint: Any) -> Any:
    """Return the alias that a type is, also with arguments: ``Pair[int]``."""
    return next((each for each in (hint, typing.get_origin(hint)) if is_alias(each)), None)


def _named(hint: Any) -> list[Any]:
    alias = _alias(hint)
    return [*typing.get_args(hint), *([] if alias is None else [alias.__value__])]


def _fields(hint: Any) -> list[Any]:
    """Return the types of the fields of a class; pydantic reads those of its models itself."""
    cls = typing.get_origin(hint) or hint
    if not isinstance(cls, type) or hasattr(cls, '__pydantic_validator__'):
        return []
    with suppress(Exception):  # msgspec says what is wrong
        found = typing.get_type_hints(cls, include_extras=True).values()
        return [each for each in found if typing.get_origin(each) is not typing.ClassVar]
    return []
