"""JSON Schema of arguments, payloads and results. msgspec is imported only for annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from lymph.config.lazy import lazy
from lymph.core._typing.bounded_schemas import finished
from lymph.core._typing.hints import is_open
from lymph.core._typing.object_schemas import Schema, default_of, object_schema

__all__ = ['arguments_schema', 'value_schema']


class _Schemas(Protocol):
    definitions: dict[str, Any]

    def of(self, hint: Any) -> Schema: ...


_schemas: Callable[..., _Schemas] = lazy('lymph.core._typing.schemas:Schemas')
_check: Callable[[str, Any], None] = lazy('lymph.core._typing.admitting:check_hint')


class _Open:
    """Schemas where nothing is annotated."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, hint: Any) -> Schema:
        return {}


def arguments_schema(
    hints: Mapping[str, Any], defaults: Mapping[str, object], others: Any, refused: Iterable[str]
) -> Schema:
    """Return the schema of the arguments of a method: an object.

    `hints` are the types of all parameters, `others` is that of other arguments, None if there may
    be no others; no argument may have one of the names `refused`.
    """
    known = [*hints.values(), others]
    schemas: _Schemas = _Open() if all(map(_is_open, known)) else _schemas()
    fields = [
        (
            name,
            {**schemas.of(hint), **(default_of(defaults[name]) if name in defaults else {})},
            name not in defaults,
        )
        for name, hint in hints.items()
    ]
    schema = object_schema(fields, closed=others is None)
    if others is not None:
        schema['properties'].update(dict.fromkeys(refused, False))
        rest = schemas.of(others)
        if rest:
            schema['additionalProperties'] = rest
    return finished(schema, schemas.definitions)


def value_schema(hint: Any, result: bool = False) -> Schema:
    """Return the schema of one value: a payload, or with `result` the result of a method.

    Raises BadAnnotation for a result that cannot be described.
    """
    if is_open(hint):
        return {}
    if result:
        _check('result', hint)
    schemas = _schemas(result)
    return finished(schemas.of(hint), schemas.definitions)


def _is_open(hint: Any) -> bool:
    return hint is None or is_open(hint)
