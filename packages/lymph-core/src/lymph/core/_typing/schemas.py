"""JSON Schema (2020-12) of types: what a JSON client, for example over HTTP, may send.

=====================================  ============================================================
datetime, date, time, UUID             text with the `format` of that name
Decimal                                a number, or text
bytes                                  the marked object of `lymph.serializers.json`
set, frozenset, tuple, NamedTuple      a list
mapping                                an object, whose keys are text also where they are numbers
dataclass, TypedDict, attrs, Struct    an object; all classes are in `$defs`
pydantic model                         the schema that pydantic makes
Any, no annotation                     ``{}``, which accepts everything
=====================================  ============================================================

A method accepts all that its schema accepts, with two exceptions: it also checks the formats, and
whole numbers must be written without a fraction (not ``1.0``). Checks in the code of a class, as in
`__post_init__`, cannot be described.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import msgspec.inspect as nodes

from lymph.core._typing.class_facts import class_docstring, class_name
from lymph.core._typing.key_schemas import key_schema
from lymph.core._typing.object_schemas import Schema, default_of, object_schema
from lymph.core._typing.scalar_schemas import integer_schema, limits_of, scalar_schema

__all__ = ['Schemas']

_LISTS: Final = nodes.CollectionType
_OBJECTS: Final = (nodes.DataclassType, nodes.TypedDictType, nodes.StructType)
#: keywords of schemas that have values, which are no schemas
_VALUES: Final = frozenset(('const', 'default', 'enum', 'examples'))
#: callables that give an empty default
_EMPTY: Final[tuple[Any, ...]] = (list, dict, set, frozenset, tuple)


class Schemas:
    """Makes the schemas of several types, with one map of `definitions` for their classes.

    With `results`, types are described as they are sent, otherwise as they are accepted; this
    differs only for pydantic models.
    """

    def __init__(self, results: bool = False) -> None:
        self.definitions: dict[str, Any] = {}
        self._mode = 'serialization' if results else 'validation'
        self._names: dict[Any, str] = {}

    def of(self, hint: Any) -> Schema:
        """Return the schema of a type; raises whatever the code of its classes raises."""
        return self._of(nodes.type_info(hint))

    def _of(self, node: Any) -> Schema:
        if isinstance(node, nodes.Metadata):
            return {**self._of(node.type), **(node.extra_json_schema or {})}
        if isinstance(node, nodes.AnyType):
            return {}
        if isinstance(node, nodes.UnionType):
            return {'anyOf': [self._of(each) for each in node.types]}
        if isinstance(node, _LISTS):
            return {'type': 'array', **self._items(node.item_type), **limits_of(node, 'Items')}
        if isinstance(node, nodes.TupleType):
            return _fixed([self._of(each) for each in node.item_types], len(node.item_types))
        if hasattr(node, 'key_type'):
            return self._mapping(node)
        if hasattr(node, 'cls'):
            return {} if node.cls is object else {'$ref': f'#/$defs/{self._defined(node)}'}
        return scalar_schema(node)

    def _items(self, node: Any) -> Schema:
        items = self._of(node)
        return {'items': items} if items else {}

    def _mapping(self, node: Any) -> Schema:
        schema: Schema = {'type': 'object', **limits_of(node, 'Properties')}
        names = key_schema(node.key_type)
        if names != {}:
            schema['propertyNames'] = names
        values = self._of(node.value_type)
        if values:
            schema['additionalProperties'] = values
        return schema

    def _defined(self, node: Any) -> str:
        """Return the name of a class in the definitions; the first time, define it."""
        key = _identity(node)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._unused(class_name(node.cls))
            self.definitions[name] = {}  # so that the name is taken while the class is described
            self.definitions[name] = self._class(node, name)
        return name

    def _unused(self, name: str) -> str:
        number = 2
        unused = name
        while unused in self.definitions:
            unused, number = f'{name}_{number}', number + 1
        return unused

    def _class(self, node: Any, name: str) -> Schema:
        if isinstance(node, nodes.CustomType):
            return self._model(node.cls, name)
        doc = class_docstring(node.cls)
        said: Schema = {'title': class_name(node.cls), **({'description': doc} if doc else {})}
        if isinstance(node, nodes.EnumType):
            return {**said, 'enum': [member.value for member in node.cls]}
        fields = [(each.encode_name, self._field(each), each.required) for each in node.fields]
        if getattr(node, 'tag_field', None) is not None:
            fields.insert(0, (node.tag_field, {'const': node.tag}, True))
        closed = getattr(node, 'forbid_unknown_fields', False)
        if isinstance(node, _OBJECTS) and not getattr(node, 'array_like', False):
            return {**said, **object_schema(fields, closed)}
        needed = max((n for n, (_, _, required) in enumerate(fields, 1) if required), default=0)
        whole = closed or isinstance(node, nodes.NamedTupleType)
        listed = _fixed([schema for _, schema, _ in fields], needed, whole)
        return {**said, **listed}

    def _field(self, field: Any) -> Schema:
        schema = self._of(field.type)
        if field.default is not msgspec.NODEFAULT:
            return {**schema, **default_of(field.default)}
        if field.default_factory in _EMPTY:
            return {**schema, **default_of(field.default_factory())}
        return schema

    def _model(self, model: Any, name: str) -> Schema:
        schema: Schema = model.model_json_schema(
            mode=self._mode, ref_template=f'#/$defs/{name}.{{model}}'
        )
        for inner, described in schema.pop('$defs', {}).items():
            self.definitions[f'{name}.{inner}'] = _mended(described)
        bounded: Schema = _mended(schema)
        return bounded


def _mended(schema: Any) -> Any:
    """Return a schema of pydantic's that admits no more than the model accepts in a message.

    ======================  ========================================================================
    whole numbers           have to fit 64 bits
    unions with a           need it, also where the class of a member has a default for it
    discriminator
    bytes                   are text: tools take the format `binary` for a file
    ======================  ========================================================================
    """
    if isinstance(schema, list):
        return [_mended(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: each if name in _VALUES else _mended(each) for name, each in schema.items()}
    discriminator = found.get('discriminator')
    if isinstance(discriminator, dict) and isinstance(discriminator.get('propertyName'), str):
        found.setdefault('required', [discriminator['propertyName']])
    if found.get('type') == 'string' and found.get('format') == 'binary':
        del found['format']
    return integer_schema(found) if found.get('type') == 'integer' else found


def _identity(node: Any) -> Any:
    try:
        hash(node.cls)
    except TypeError:
        return id(node)
    return node.cls


def _fixed(items: list[Schema], needed: int, whole: bool = True) -> Schema:
    """Return the schema of a list whose items have different types."""
    schema: Schema = {'type': 'array', 'minItems': needed}
    if items:
        schema['prefixItems'] = items
    if whole:
        schema['maxItems'] = len(items)
    return schema
