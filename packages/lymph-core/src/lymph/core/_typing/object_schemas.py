"""JSON Schema of objects: of their members, and of default values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from lymph.exceptions import SerializationError
from lymph.serializers.json import dumps, plain

__all__ = ['Schema', 'default_of', 'object_schema']

Schema = dict[str, Any]


def default_of(value: object) -> Schema:
    """Return the keyword for a default value; nothing for one that JSON cannot have."""
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {'default': json.loads(dumps(value))}
        return {'default': plain(value)}
    except SerializationError:
        return {}


def object_schema(fields: Iterable[tuple[str, Schema, bool]], closed: bool) -> Schema:
    """Return the schema of an object; `closed` ones have no other members than those named."""
    found: Schema = {'type': 'object', 'properties': {}, 'required': []}
    for name, schema, required in fields:
        found['properties'][name] = schema
        if required:
            found['required'].append(name)
    if closed:
        found['additionalProperties'] = False
    return found
