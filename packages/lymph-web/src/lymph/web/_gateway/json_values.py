"""Arguments and results of calls as JSON.

=============================  =====================================================================
value                          in JSON
=============================  =====================================================================
bytes                          ``{"$bytes": "aGk="}``: base64
datetime, date, time           text in ISO 8601
UUID, Decimal                  text
set, frozenset, tuple          a list
keys of mappings               text: of numbers their digits, of others the forms above
an integer beyond 64 bits      read as a double
a number without a fraction    read as an integer up to 2**53, also if written as 1.0 or 1e3
infinite numbers and NaN       have no form
=============================  =====================================================================

Methods convert texts and lists by their annotations. To those without annotations, clients can
send the marked values of `lymph.serializers.json`, such as ``{"$date": "2016-02-19"}``.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Final

import gevent
from msgpack import ExtType, Timestamp

from lymph.config.printable import printable, quoted
from lymph.core.limits import DEPTH, ITEMS
from lymph.exceptions import SerializationError
from lymph.serializers.json import unmarked

__all__ = ['as_json', 'parse_json', 'read_arguments']

_EXACT: Final = 2.0**53  # up to here every whole number is a double
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_TURN: Final = 2000  # members that are written between two turns of the loop
_PATH: Final = 200  # characters
_BYTES: Final = frozenset({bytes, bytearray, memoryview})
_LISTS: Final = frozenset({list, tuple, set, frozenset})


def parse_json(data: bytes) -> Any:
    """Return the JSON value in UTF-8 text, within the bounds of a message.

    Raises ValueError, with one line that says what is wrong: text that is not JSON or not UTF-8, an
    object with two members of one name, NaN and infinite numbers, too many members or too much
    nesting.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f'it is not UTF-8 at byte {error.start}') from None
    if sum(map(text.count, ',[{')) > 2 * ITEMS:  # each mark is a container of its own
        raise ValueError(f'more than {ITEMS} members in all containers together')
    try:
        return json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_refuse,
            parse_float=_number,
            parse_int=_integer,
        )
    except RecursionError:
        raise ValueError(f'more than {DEPTH} containers inside each other') from None
    except json.JSONDecodeError as error:
        raise ValueError(f'{error.msg} at character {error.pos}') from None


def read_arguments(found: Any) -> dict[str, Any]:
    """Return the arguments in a JSON value of `parse_json`, marked values read.

    Raises ValueError unless it is an object of values that a call can carry.
    """
    if not isinstance(found, dict):
        raise ValueError(f'expected an object with the arguments, found {_kind(found)}')
    arguments = {}
    for name, value in found.items():
        try:
            name.encode()
            arguments[name] = unmarked(value, DEPTH - 1)
        except UnicodeEncodeError:
            raise ValueError(f'{quoted(name)}: it has half of a surrogate pair') from None
        except SerializationError as error:
            raise ValueError(f'{quoted(name)}: {error}') from None
    return arguments


def as_json(value: Any, what: str = 'result') -> Any:
    """Return a result, or `what` it is, in JSON types; lets the loop have its turns meanwhile.

    Raises SerializationError, which names the path to what has no form in JSON.
    """
    try:
        return _JsonWriter().write(value, DEPTH + 1)
    except _WithoutForm as error:
        path = ''.join(f'[{step}]' for step in reversed(error.steps))
        raise SerializationError(f'{what}{printable(path, _PATH)}: {error}') from None


class _WithoutForm(ValueError):
    """A value has no form in JSON; `steps` lead to it, the last one first."""

    def __init__(self, what: str) -> None:
        super().__init__(f'{what} has no form in JSON')
        self.steps: list[str] = []


class _JsonWriter:
    def __init__(self) -> None:
        self._written = 0

    def write(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            return value
        if kind is float:
            if not math.isfinite(value):
                raise _WithoutForm(f'the number {value}')
            return value
        if kind is dict:
            return self._object(value, depth)
        if kind in _LISTS:
            return self._list(value, depth)
        if kind in _BYTES:
            return {'$bytes': base64.b64encode(value).decode()}
        return _text(value)

    def _list(self, value: Any, depth: int) -> list[Any]:
        self._count(len(value), depth)
        found: list[Any] = []
        try:
            for each in value:
                found.append(self.write(each, depth - 1))
        except _WithoutForm as error:
            error.steps.append(str(len(found)))
            raise
        return found

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self._count(len(value), depth)
        found: dict[str, Any] = {}
        for key, each in value.items():
            name = key if type(key) is str else _key(key)
            if name in found:
                raise _WithoutForm(f'an object with two members {quoted(name)}')
            try:
                found[name] = self.write(each, depth - 1)
            except _WithoutForm as error:
                error.steps.append(quoted(name))
                raise
        return found

    def _count(self, members: int, depth: int) -> None:
        if not depth:
            raise _WithoutForm('a value with so many containers inside each other')
        before = self._written // _TURN
        self._written += members + 1
        if self._written // _TURN != before:
            gevent.sleep(1e-6)


def _text(value: Any) -> str:
    if isinstance(value, (ExtType, Timestamp)):
        raise _WithoutForm(f'the extension type {quoted(value)}')
    isoformat = getattr(value, 'isoformat', None)
    return str(value) if isoformat is None else str(isoformat())


def _key(key: Any) -> str:
    if key is None or type(key) is bool:
        return json.dumps(key)
    if type(key) in _BYTES:
        return base64.b64encode(key).decode()
    if type(key) in _LISTS:
        raise _WithoutForm('a list as a key')
    return _text(key)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f'an object has {len(pairs)} members, but only {len(members)} names')
    return members


def _refuse(word: str) -> Any:
    raise ValueError(f'{word} is not JSON')


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f'the number {quoted(text)} is too large')
    return int(number) if abs(number) <= _EXACT and number.is_integer() else number


def _integer(text: str) -> int | float:
    if len(text) <= 20:  # characters of the longest integers of 64 bits
        number = int(text)
        if _LOWEST <= number <= _HIGHEST:
            return number
    return _number(text)


def _kind(value: Any) -> str:
    if value is None:
        return 'null'
    names = {bool: 'a boolean', int: 'a number', float: 'a number', str: 'text', list: 'a list'}
    return names.get(type(value), 'another value')
