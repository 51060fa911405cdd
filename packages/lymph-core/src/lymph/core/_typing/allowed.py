"""The values that an Enum or a Literal allows, for the error about another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec.inspect as nodes

from lymph.config.printable import quoted
from lymph.core._typing.admitting import type_node

__all__ = ['allowed_values']

_MOST: Final = 10  # values that are listed


def allowed_values(hint: Any, steps: Iterable[Any]) -> str:
    """Return the values that a type allows where `steps` lead: ``one of 'a', 'b'``, or ''."""
    found = [type_node(hint)]
    for step in steps:
        found = [inner for node in found for inner in _inside(node, step)]
    values = list(dict.fromkeys(quoted(value) for node in found for value in _values(node)))
    listed = ', '.join(values[:_MOST])
    return f'one of {listed}{", ..." if len(values) > _MOST else ""}' if values else ''


def _values(node: Any) -> Iterator[Any]:
    if isinstance(node, nodes.Metadata):
        yield from _values(node.type)
    elif isinstance(node, nodes.UnionType):
        for each in node.types:
            yield from _values(each)
    elif isinstance(node, nodes.EnumType):
        yield from (member.value for member in node.cls)
    elif isinstance(node, nodes.LiteralType):
        yield from node.values


def _inside(node: Any, step: Any) -> Iterator[Any]:
    """Yield the types that a value may have one step further."""
    if isinstance(node, nodes.Metadata):
        yield from _inside(node.type, step)
    for each in getattr(node, 'types', ()):
        yield from _inside(each, step)
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
