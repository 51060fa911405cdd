"""JSON Schemas of many methods in one document: their definitions become shared components.

Services write these schemas, so nothing in them is trusted: references that lead nowhere, or out of
the document, become schemas that accept everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

__all__ = ['Components', 'component_name']

Schema = Any  # a dict, or a boolean

_DEFINITION: Final = '#/$defs/'
_COMPONENT: Final = '#/components/schemas/'
_UNNAMEABLE: Final = re.compile(r'[^A-Za-z0-9._-]')

#: keywords with a schema, with a list of schemas, and with a map of schemas
_ONE: Final = frozenset(
    [
        'additionalProperties',
        'contains',
        'contentSchema',
        'else',
        'if',
        'items',
        'not',
        'propertyNames',
        'then',
        'unevaluatedItems',
        'unevaluatedProperties',
    ]
)
_LIST: Final = frozenset(('allOf', 'anyOf', 'oneOf', 'prefixItems'))
_MAP: Final = frozenset(('dependentSchemas', 'patternProperties', 'properties'))
#: keywords that would change what references mean
_DROPPED: Final = frozenset(
    [
        '$anchor',
        '$defs',
        '$dynamicAnchor',
        '$dynamicRef',
        '$id',
        '$recursiveAnchor',
        '$recursiveRef',
        '$schema',
        '$vocabulary',
        'definitions',
    ]
)


class Components:
    """The schemas of a document, by name. Equal definitions of an interface share one name."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[tuple[str, str, str], str] = {}

    def add(self, interface: str, name: str, schema: Schema, result: bool = False) -> Schema:
        """Add the schema called `name` with its definitions; return the reference to it.

        In schemas of results, lists of different types are described as lists of any of them:
        generators of clients do not know `prefixItems`, and schemathesis 4 fails on them there.
        """
        if result:
            schema = _without_prefixes(schema)
        definitions = schema.get('$defs') if isinstance(schema, dict) else None
        known = definitions if isinstance(definitions, dict) else {}
        own = self._unused(component_name(name))
        self.schemas[own] = {}  # so that the name is taken
        names: dict[str, str] = {}
        for each in sorted(known):
            meaning = json.dumps(_reachable(each, known), sort_keys=True)
            key = interface, each, meaning
            if key in self._names:
                names[each] = self._names[key]
                continue
            names[each] = self._names[key] = self._unused(component_name(f'{interface}.{each}'))
            self.schemas[names[each]] = {}
        for each, component in names.items():
            if self.schemas[component] == {}:
                self.schemas[component] = _rewritten(known[each], names, component)
        self.schemas[own] = _rewritten(schema, names, own)
        return {'$ref': f'{_COMPONENT}{own}'}

    def _unused(self, name: str) -> str:
        unused, number = name, 2
        while unused in self.schemas:
            unused, number = f'{name}_{number}', number + 1
        return unused


def component_name(name: str) -> str:
    """Return a name with only the characters that names of components may have."""
    return _UNNAMEABLE.sub(lambda found: f'_{ord(found[0]):x}_', name)


def _reachable(name: str, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """Return a definition and all that it refers to."""
    found: dict[str, Schema] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found and each in definitions:
            found[each] = definitions[each]
            waiting += _references(definitions[each])
    return found


def _references(schema: Schema) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        target = _target(schema.get('$ref'))
        if target is not None:
            yield target
        for _, each in _inner(schema):
            yield from _references(each)


def _rewritten(schema: Schema, names: dict[str, str], own: str) -> Schema:
    """Return a schema with references to components; `own` is the name of the whole schema."""
    if not isinstance(schema, dict):
        return schema if isinstance(schema, bool) else {}

    def inner(each: Schema) -> Schema:
        return _rewritten(each, names, own)

    found = {}
    for keyword, value in schema.items():
        if keyword == '$ref':
            target = own if value == '#' else names.get(_target(value) or '')
            if target is not None:
                found[keyword] = f'{_COMPONENT}{target}'
        elif keyword == 'discriminator':
            found[keyword] = _discriminator(value, names)
        elif keyword not in _DROPPED:
            found[keyword] = _mapped(keyword, value, inner)
    return found


def _mapped(keyword: str, value: Any, change: Callable[[Schema], Schema]) -> Any:
    if keyword in _ONE:
        return change(value)
    if keyword in _LIST and isinstance(value, list):
        return [change(each) for each in value]
    if keyword in _MAP and isinstance(value, dict):
        return {name: change(each) for name, each in value.items()}
    return value


def _inner(schema: dict[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas directly inside a schema, with their keywords."""
    for keyword, value in schema.items():
        if keyword in _ONE:
            yield keyword, value
        elif keyword in _LIST and isinstance(value, list):
            yield from ((keyword, each) for each in value)
        elif keyword in _MAP and isinstance(value, dict):
            yield from ((keyword, each) for each in value.values())


def _without_prefixes(schema: Schema) -> Schema:
    """Return a schema that describes all items of a list by one schema."""
    if not isinstance(schema, dict):
        return schema
    found = {key: _mapped(key, value, _without_prefixes) for key, value in schema.items()}
    definitions = found.get('$defs')
    if isinstance(definitions, dict):
        found['$defs'] = {name: _without_prefixes(each) for name, each in definitions.items()}
    prefixes = found.pop('prefixItems', None)
    if isinstance(prefixes, list):
        others = [] if 'maxItems' in found else [found.get('items', True)]
        kinds = [each for n, each in enumerate(prefixes) if each not in prefixes[:n]] + others
        found['items'] = kinds[0] if len(kinds) == 1 else {'anyOf': kinds}
    return found


def _discriminator(value: Any, names: dict[str, str]) -> Any:
    mapping = value.get('mapping') if isinstance(value, dict) else None
    if not isinstance(mapping, dict):
        return value
    targets = {tag: names.get(_target(reference) or '') for tag, reference in mapping.items()}
    known = {tag: f'{_COMPONENT}{name}' for tag, name in targets.items() if name is not None}
    return {**value, 'mapping': known}


def _target(reference: Any) -> str | None:
    """Return the name of the definition that a reference leads to."""
    if not isinstance(reference, str) or not reference.startswith(_DEFINITION):
        return None
    name = unquote(reference.removeprefix(_DEFINITION))
    return name.replace('~1', '/').replace('~0', '~')
