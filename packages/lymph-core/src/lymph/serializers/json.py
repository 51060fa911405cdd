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
from lymph.serializers.members import hashable
from lymph.serializers.paths import explain

__all__ = ['dumps', 'loads', 'plain']

_READERS: dict[str, Callable[[str], Any]] = {
    '$datetime': datetime.datetime.fromisoformat,
    '$date': datetime.date.fromisoformat,
    '$time': datetime.time.fromisoformat,
    '$uuid': UUID,
    '$decimal': Decimal,
    '$bytes': lambda text: base64.b64decode(text, validate=True),
}
_SET = '$set'
_OBJECT = '$object'
_MARKS = frozenset({*_READERS, _SET, _OBJECT})


def _text(value: Any) -> tuple[str, Any] | None:
    """Return the mark and JSON form of a value that JSON does not know."""
    if isinstance(value, (set, frozenset)):
        return _SET, list(value)
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


def _mark(value: Any) -> Any:
    """Return `value` in JSON types, with marks on what JSON does not know."""
    if isinstance(value, Mapping):
        result = {_key(k): _mark(v) for k, v in value.items()}
        clash = len(result) == 1 and next(iter(result)) in _MARKS
        return {_OBJECT: result} if clash else result
    if isinstance(value, (list, tuple)):
        return [_mark(member) for member in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    known = _text(value)
    if known is not None:
        mark, text = known
        return {mark: _mark(text)}
    return _mark(_dumped(value))


def _plain(value: Any) -> Any:
    """Return `value` in JSON types, without marks."""
    if isinstance(value, Mapping):
        return {k if isinstance(k, str) else str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    known = _text(value)
    return _plain(known[1] if known is not None else _dumped(value))


def _dumped(value: Any) -> Any:
    dump = getattr(type(value), '_lymph_dump_', None)
    if dump is None:
        raise TypeError(
            'expected a JSON type, bytes, set, datetime, date, time, UUID, Decimal'
            ' or an object with _lymph_dump_()'
        )
    return dump(value)


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
        if mark == _SET:
            return _read_set(inner)
        if mark in _READERS:
            if not isinstance(inner, str):
                raise ValueError(f'expected a text in {mark}, found {inner!r}')
            return _READERS[mark](inner)
    return {k: _read(v) for k, v in value.items()}


def _read_set(members: Any) -> set[Any]:
    if not isinstance(members, list):
        raise ValueError(f'expected a list in {_SET}, found {members!r}')
    return {hashable(_read(member)) for member in members}


def dumps(value: Any) -> str:
    """Return `value` as JSON from which `loads` makes the same value again.

    Raises SerializationError, which names the path to the value that does not fit.
    """
    try:
        return json.dumps(_mark(value), allow_nan=False, separators=(',', ':'))
    except Exception as error:
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
    """Return `value` in JSON types for printing: dates, keys and the like become text, sets lists.

    Raises SerializationError, which names the path to the value that does not fit.
    """
    try:
        return _plain(value)
    except Exception as error:
        raise SerializationError(explain(value, _unprintable)) from error


def _misfit(value: Any) -> Exception | None:
    try:
        json.dumps(_mark(value), allow_nan=False)
    except Exception as error:  # noqa: BLE001 - whatever a `_lymph_dump_` raises is the answer
        return error
    return None


def _unprintable(value: Any) -> Exception | None:
    try:
        _plain(value)
    except Exception as error:  # noqa: BLE001 - whatever a `_lymph_dump_` raises is the answer
        return error
    return None
