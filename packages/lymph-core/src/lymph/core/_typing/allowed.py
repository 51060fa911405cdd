"""The values that an Enum or a Literal allows, for the error about another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec.inspect as nodes

from lymph.config.printable import quoted
from lymph.core._typing.admitting import alternatives

__all__ = ['allowed_values']

_MOST: Final = 10  # values that are listed


def allowed_values(hint: Any, steps: Iterable[Any], keys: bool = False) -> str:
    """Return the values that a type allows where `steps` lead: ``one of 'a', 'b'``, or ''.

    With `keys`, return those that it allows as keys there.
    """
    found = [nodes.type_info(hint)]
    for step in steps:
        found = [inner for node in found for inner in _inside(node, step)]
    if keys:
        found = [
            node.key_type
            for each in found
            for node in alternatives(each)
            if isinstance(node, nodes.DictType)
        ]
    values = list(dict.fromkeys(quoted(value) for node in found for value in _values(node)))
    listed = ', '.join(values[:_MOST])
    return f'one of {listed}{", ..." if len(values) > _MOST else ""}' if values else ''


def _values(node: Any) -> Iterator[Any]:
    for each in alternatives(node):
        if isinstance(each, nodes.EnumType):
            yield from (member.value for member in each.cls)
        elif isinstance(each, nodes.LiteralType):
            yield from each.values


def _inside(node: Any, step: Any) -> Iterator[Any]:
    """Yield the types that a value may have one step further."""
    for each in alternatives(node):
        yield from _parts(each, step)


def _parts(node: Any, step: Any) -> Iterator[Any]:
    for name in ('item_type', 'value_type'):
        inner = getattr(node, name, None)
        if inner is not None:
            yield inner
    for index, inner in enumerate(getattr(node, 'item_types', ())):
        if index == step:
            yield inner
    for index, field in enumerate(getattr(node, 'fields', ())):
        if step in (index, getattr(field, 'encode_name', field)):
            yield field.type
    tag = getattr(node, 'tag_field', None)
    if tag is not None and tag == step:
        yield nodes.LiteralType((node.tag,))
