"""The same values as JSON: marked so that they can be read back, or plain for people.

A marked value is an object with the one key ``$set``, ``$datetime``, ``$date``, ``$time``,
``$uuid``, ``$decimal`` or ``$bytes`` (base64). An object that has such a key of its own travels
as ``{"$object": {...}}``.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from lymph.exceptions import SerializationError
from lymph.serializers.paths import explain

__all__ = ['dumps', 'loads', 'plain']

_READERS: dict[str, Callable[[Any], Any]] = {
    '$set': lambda v: {tuple(m) if isinstance(m, list) else m for m in v},
    '$datetime': datetime.datetime.fromisoformat,
    '$date': datetime.date.fromisoformat,
    '$time': datetime.time.fromisoformat,
    '$uuid': UUID,
    '$decimal': Decimal,
    '$bytes': base64.b64decode,
}
_OBJECT = '$object'


def _text(value: Any) -> tuple[str, Any] | None:
    """Return the mark and JSON form of a value that JSON does not know."""
    if isinstance(value, (set, frozenset)):
        return '$set', list(value)
    if isinstance(value, datetime.datetime):  # before date, whose subclass it is
        return '$datetime', value.isoformat()
    if isinstance(value, datetime.date):
        return '$date', value.isoformat()
    if isinstance(value, datetime.time):
        return '$time', value.isoformat()
    if isinstance(value, UUID):
        return '$uuid', str(value)
    if isinstance(value, Decimal):
        return '$decimal', str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return '$bytes', base64.b64encode(bytes(value)).decode()
    return None


def _mark(value: Any, marked: bool) -> Any:
    if isinstance(value, Mapping):
        result = {_key(k): _mark(v, marked) for k, v in value.items()}
        clash = marked and len(result) == 1 and next(iter(result)) in {*_READERS, _OBJECT}
        return {_OBJECT: result} if clash else result
    if isinstance(value, (list, tuple)):
        return [_mark(member, marked) for member in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    known = _text(value)
    if known is not None:
        mark, text = known
        text = _mark(text, marked) if isinstance(text, list) else text
        return {mark: text} if marked else text
    dump = getattr(type(value), '_lymph_dump_', None)
    if dump is not None:
        return _mark(dump(value), marked)
    raise TypeError(
        'expected a JSON type, bytes, set, datetime, date, time, UUID, Decimal'
        ' or an object with _lymph_dump_()'
    )


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f'expected a text as key of an object, found {key!r}')
    return key


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(member) for member in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        mark, inner = next(iter(value.items()))
        if mark == _OBJECT and isinstance(inner, dict):
            return {k: _read(v) for k, v in inner.items()}
        if mark in _READERS:
            return _READERS[mark](_read(inner))
    return {k: _read(v) for k, v in value.items()}


def dumps(value: Any) -> str:
    """Return `value` as JSON from which `loads` makes the same value again.

    Raises SerializationError, which names the path to the value that does not fit.
    """
    try:
        return json.dumps(_mark(value, marked=True), allow_nan=False, separators=(',', ':'))
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationError(explain(value, _misfit)) from error


def loads(text: str | bytes) -> Any:
    """Return the value that JSON made by `dumps` holds; any other JSON is read as it is.

    Raises SerializationError for what is no JSON or has a bad marked value.
    """
    try:
        return _read(json.loads(text))
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise SerializationError(f'expected JSON, found {text[:60]!r}: {error}') from error


def plain(value: Any) -> Any:
    """Return `value` in JSON types for printing: dates and the like become text, sets lists."""
    return _mark(value, marked=False)


def _misfit(value: Any) -> Exception | None:
    try:
        json.dumps(_mark(value, marked=True), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return error
    return None
