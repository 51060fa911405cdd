"""Schemas that can be sent: of JSON types only, not too deep and not too large."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

__all__ = ['NODES', 'finished', 'size_of']

_DIALECT: Final = 'https://json-schema.org/draft/2020-12/schema'
#: containers inside each other; a message may have `lymph.core.limits.DEPTH`, with those around it
_DEPTH: Final = 24
#: members of all containers of one schema
NODES: Final = 20_000
_TEXT: Final = 200_000  # characters of all texts of one schema


def finished(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its dialect and definitions; {} stays as it is.

    Raises ValueError if it cannot be sent.
    """
    whole = {'$schema': _DIALECT, **schema} if schema else {}
    if definitions:
        whole['$defs'] = definitions
    characters = nodes = 0
    for text, _ in _members(whole, 0):
        nodes, characters = nodes + 1, characters + len(text)
        if nodes > NODES or characters > _TEXT:
            raise ValueError('the schema is too large to be sent')
    return whole


def size_of(schema: Any) -> int:
    """Return the number of members of all containers of a finished schema."""
    return sum(1 for _ in _members(schema, 0))


def _members(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the text and the value of each member, also of members."""
    if isinstance(value, (dict, list, tuple)):
        if depth >= _DEPTH:
            raise ValueError('the schema is nested too deeply to be sent')
        for key in value:
            if isinstance(value, dict):
                if not isinstance(key, str):
                    raise ValueError(f'the schema has a {type(key).__name__} as a key')
                yield key, value[key]
                yield from _members(value[key], depth + 1)
            else:
                yield '', key
                yield from _members(key, depth + 1)
    elif isinstance(value, str):
        yield value, value
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'the schema has the number {value}, which JSON does not have')
    elif not (value is None or isinstance(value, (int, float))):
        raise ValueError(f'the schema has a {type(value).__name__}, which is not a JSON type')
