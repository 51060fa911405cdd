"""JSON Schema of the keys of mappings: all keys are text in JSON, also those that are numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec.inspect as nodes

from lymph.core._typing.scalar_schemas import DECIMAL, scalar_schema

__all__ = ['key_schema']

_PATTERNS: Final[dict[Any, str]] = {
    nodes.IntType: '^-?(0|[1-9][0-9]{0,200})$',
    nodes.FloatType: '^-?(0|[1-9][0-9]{0,200})([.][0-9]{1,200})?([eE][+-]?[0-9]{1,2})?$',
    nodes.DecimalType: DECIMAL,
}


def key_schema(node: Any) -> dict[str, Any] | bool:
    """Return the schema of keys: ``{}`` if any text is valid, False if none is."""
    if isinstance(node, nodes.Metadata):
        return key_schema(node.type)
    if isinstance(node, nodes.AnyType):
        return {}
    if isinstance(node, nodes.UnionType):
        schemas = [each for each in map(key_schema, node.types) if each is not False]
        if {} in schemas or not schemas:
            return {} if schemas else False
        return {'anyOf': schemas} if len(schemas) > 1 else schemas[0]
    if isinstance(node, nodes.EnumType):
        return _among(member.value for member in node.cls)
    if isinstance(node, nodes.LiteralType):
        return _among(node.values)
    pattern = _PATTERNS.get(type(node))
    if pattern is not None:
        return {'pattern': pattern}
    schema = scalar_schema(node)
    if schema.pop('type', None) != 'string':
        return False
    return schema


def _among(values: Iterable[Any]) -> dict[str, Any] | bool:
    keys = [
        str(each) for each in values if isinstance(each, (str, int)) and not isinstance(each, bool)
    ]
    return {'enum': keys} if keys else False
