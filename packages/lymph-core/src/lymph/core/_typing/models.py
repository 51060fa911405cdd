"""pydantic models: validated as strict JSON, without importing pydantic.

A model is sent in its JSON form, so that its own rules for dates, bytes and aliases apply on both
sides. In strict mode, pydantic rejects text for a number, but accepts text for a date, since JSON
has no dates.
"""

from __future__ import annotations

import json
from typing import Any, Final

from lymph.config.printable import printable, quoted
from lymph.core._typing.misfits import Misfit
from lymph.core._typing.words import found_word
from lymph.serializers.json import plain

__all__ = ['validated']

_BYTES: Final = (bytes, bytearray, memoryview)
_TEXT: Final = 300  # characters of a sentence of pydantic

#: the beginning of pydantic's name for an error -> what was expected
_EXPECTED: Final = {
    'int_': 'a whole number',
    'float_': 'a number',
    'string_type': 'text',
    'bool_': 'true or false',
    'list_type': 'a list',
    'tuple_type': 'a list',
    'set_type': 'a list',
    'frozen_set_type': 'a list',
    'dict_type': 'a mapping',
    'model_': 'a mapping',
    'datetime_': 'a date and time',
    'date_': 'a date',
    'time_delta_': 'a duration',
    'time_': 'a time',
    'uuid_': 'a UUID',
    'decimal_type': 'a decimal number',
    'decimal_parsing': 'a decimal number',
    'bytes_': 'bytes',
    'none_required': 'nothing',
}


def validated(model: Any, value: Any) -> Any:
    """Return the instance of a pydantic model that `value` describes.

    Raises Misfit for a value that does not fit, and what validators of the model raise apart from
    ValueError and AssertionError.
    """
    validator = model.__pydantic_validator__
    try:
        if _has_bytes(value):  # which JSON does not have: values have to be of the exact types
            return validator.validate_python(value, strict=True)
        return validator.validate_json(json.dumps(plain(value)), strict=True)
    except ValueError as error:
        errors = getattr(error, 'errors', None)
        if errors is None:
            raise
        first = errors(include_url=False)[0]
        raise Misfit(*_explained(first)) from error


def _explained(error: dict[str, Any]) -> tuple[tuple[Any, ...], str]:
    kind, steps, found = error['type'], tuple(error['loc']), error.get('input')
    if kind == 'missing':
        part = 'item' if isinstance(steps[-1], int) else 'field'
        return steps[:-1], f'missing {part} {quoted(steps[-1])}'
    if kind == 'extra_forbidden':
        return steps[:-1], f'unknown field {quoted(steps[-1])}'
    for name, expected in _EXPECTED.items():
        if kind.startswith(name):
            return steps, f'expected {expected}, found {found_word(found)}'
    text = printable(error['msg'], _TEXT)
    for prefix in ('Input should be ', 'Input should have '):
        if text.startswith(prefix):
            return steps, f'expected {text.removeprefix(prefix)}, found {quoted(found)}'
    return steps, text.removeprefix('Value error, ').removeprefix('Assertion failed, ')


def _has_bytes(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_bytes, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_has_bytes, value))
    return isinstance(value, _BYTES)
