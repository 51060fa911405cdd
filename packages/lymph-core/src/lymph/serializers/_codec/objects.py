"""Objects that travel as their fields or their value, found without importing who made their class.

====================  ============================================================================
dataclass             a mapping of its fields
attrs class           a mapping of its attributes, by name
`msgspec.Struct`      a mapping of its fields, under the names that its class gives them for others
                      (`rename`) and with its tag; a list if the class says `array_like`
pydantic model        what `model_dump(mode='json', by_alias=True)` returns
Enum                  its value
====================  ============================================================================

Fields without a value (`msgspec.UNSET`) are left out. A NamedTuple is a tuple, an Enum that is also
a text or a number is that already.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import sys
from collections.abc import Callable
from typing import Any

__all__ = ['dumper_of']

Dump = Callable[[Any], Any]


def dumper_of(kind: type) -> Dump | None:
    """Return the function that dumps objects of a class of these kinds, None for other classes."""
    if issubclass(kind, enum.Enum):
        return _enum
    if hasattr(kind, '__pydantic_serializer__'):
        return _model
    if hasattr(kind, '__struct_config__'):
        return _struct
    if hasattr(kind, '__attrs_attrs__'):
        return _attrs
    if hasattr(kind, '__dataclass_fields__'):
        return _dataclass
    return None


def _enum(value: Any) -> Any:
    return value.value


def _model(value: Any) -> Any:
    return type(value).__pydantic_serializer__.to_python(value, mode='json', by_alias=True)


def _struct(value: Any) -> Any:
    kind = type(value)
    config = kind.__struct_config__
    members = [getattr(value, name) for name in kind.__struct_fields__]
    if config.array_like:
        return members if config.tag is None else [config.tag, *members]
    unset = sys.modules['msgspec'].UNSET
    found = {} if config.tag is None else {config.tag_field: config.tag}
    for name, member in zip(kind.__struct_encode_fields__, members, strict=True):
        if member is not unset:
            found[name] = member
    return found


def _attrs(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in type(value).__attrs_attrs__}


def _dataclass(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _field_names(kind)}


@functools.lru_cache(maxsize=256)
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))
