"""The classes in the JSON Schemas of an answer to `lymph.inspect`, each in one line.

The answer is somebody else's: what is of an unknown form is shown as ``...``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lymph.config.printable import printable, quoted

__all__ = ['SCHEMAS', 'type_lines']

#: the facts that are schemas
SCHEMAS: Final = ('parameters_schema', 'payload_schema', 'result_schema')

_LONGEST: Final = 500  # characters of one line
_TYPES: Final = 50  # classes that are shown of one method
_MEMBERS: Final = 30  # members and alternatives that are shown
_LAYERS: Final = 5  # of types inside each other
_UNKNOWN: Final = '...'
_WORDS: Final = {
    'string': 'text',
    'integer': 'whole number',
    'number': 'number',
    'boolean': 'true or false',
    'null': 'None',
    'array': 'list',
    'object': 'mapping',
}


def type_lines(fact: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each class in the schemas of a fact: ``Line(count: whole number = 1)``."""
    found: dict[str, Any] = {}
    for key in SCHEMAS:
        schema = fact.get(key)
        definitions = schema.get('$defs') if isinstance(schema, dict) else None
        if isinstance(definitions, dict):
            found = {**definitions, **found}
    for name, schema in list(found.items())[:_TYPES]:
        yield printable(_class_line(str(name), schema), _LONGEST)


def _class_line(name: str, schema: Any) -> str:
    if not isinstance(schema, dict):
        return f'{name}: {_UNKNOWN}'
    properties = schema.get('properties')
    if isinstance(properties, dict):
        text = f'{name}({_members(schema, properties)})'
    else:
        text = f'{name}: {_type_text(schema, 0)}'
    doc = schema.get('description')
    first = doc.strip().partition('\n')[0] if isinstance(doc, str) else ''
    return f'{text} - {first}' if first else text


def _members(schema: Mapping[str, Any], properties: Mapping[Any, Any]) -> str:
    required = schema.get('required')
    needed = required if isinstance(required, list) else []
    texts = []
    for name, each in list(properties.items())[:_MEMBERS]:
        default = ''
        if isinstance(each, dict) and 'default' in each:
            default = f' = {quoted(each["default"])}'
        elif name not in needed:
            default = ' = ...'
        texts.append(f'{name}: {_type_text(each, 0)}{default}')
    return ', '.join([*texts, _UNKNOWN] if len(properties) > _MEMBERS else texts)


def _type_text(schema: Any, layer: int) -> str:
    if schema in ({}, True):
        return 'anything'
    if not isinstance(schema, dict) or layer > _LAYERS:
        return _UNKNOWN
    if isinstance(schema.get('$ref'), str):
        return str(schema['$ref'].rpartition('/')[2])
    if isinstance(schema.get('enum'), list):
        return ' or '.join(quoted(each) for each in schema['enum'][:_MEMBERS]) or _UNKNOWN
    if 'const' in schema:
        return quoted(schema['const'])
    if isinstance(schema.get('anyOf'), list):
        texts = [_type_text(each, layer + 1) for each in schema['anyOf'][:_MEMBERS]]
        return ' or '.join(dict.fromkeys(texts)) or _UNKNOWN
    kinds = schema.get('type')
    texts = [
        _kind_text(schema, each, layer) for each in (kinds if isinstance(kinds, list) else [kinds])
    ]
    return ' or '.join(texts) or _UNKNOWN


def _kind_text(schema: Mapping[str, Any], kind: Any, layer: int) -> str:
    word = _WORDS.get(kind, _UNKNOWN) if isinstance(kind, str) else _UNKNOWN
    if kind == 'string' and isinstance(schema.get('format'), str):
        return str(schema['format'])
    if kind == 'array':
        places = schema.get('prefixItems')
        if isinstance(places, list):
            return f'[{", ".join(_type_text(each, layer + 1) for each in places[:_MEMBERS])}]'
        if 'items' in schema:
            return f'list of {_type_text(schema["items"], layer + 1)}'
    if kind == 'object':
        properties = schema.get('properties')
        if isinstance(properties, dict) and list(properties) == ['$bytes']:
            return 'bytes'
        if isinstance(schema.get('additionalProperties'), dict):
            return f'mapping of {_type_text(schema["additionalProperties"], layer + 1)}'
    return word
