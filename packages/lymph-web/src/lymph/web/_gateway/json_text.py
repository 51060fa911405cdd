"""Values of JSON types as text, written in turns of the loop.

`json.dumps` writes a value at once, and holds the interpreter for as long: a second for a few
megabytes, in a native thread as well. Here a large value is written in parts, each of which takes
about a millisecond, and the loop has its turn after each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import gevent

__all__ = ['json_bytes', 'json_text']

_PART: Final = 2000  # members that are written at once
_CHARACTERS: Final = 32  # cost as much as a member
_STRING: Final = _PART * _CHARACTERS  # characters
_TURN: Final = 16 * 1024  # characters between two turns of the loop
_SLICE: Final = 100  # members of one container

_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(',', ':')
).encode


def json_bytes(value: Any) -> bytes:
    """Return `value` as JSON in UTF-8; half of a surrogate pair is escaped."""
    return json_text(value).encode(errors='backslashreplace')


def json_text(value: Any) -> str:
    """Return `value` as JSON. Raises ValueError for a number that is not finite."""
    if _is_small(value):
        return _encode(value)
    parts, written = [], 0
    for part in _parts(value):
        parts.append(part)
        written += len(part)
        if written > _TURN:
            written = 0
            gevent.sleep(1e-6)
    return ''.join(parts)


def _parts(value: Any) -> Iterator[str]:
    if _is_small(value):
        yield _encode(value)
    elif isinstance(value, str):
        yield '"'
        for start in range(0, len(value), _STRING):
            yield _encode(value[start : start + _STRING])[1:-1]
        yield '"'
    elif isinstance(value, dict):
        yield from _joined('{', _members(value), '}')
    else:
        yield from _joined('[', _items(value), ']')


def _joined(start: str, groups: Iterable[Iterator[str]], end: str) -> Iterator[str]:
    """Yield the parts of each group, with commas between the groups."""
    between = start
    for group in groups:
        for part in group:
            yield between + part
            between = ''
        between = ','
    yield end if between == ',' else start + end


def _items(items: list[Any]) -> Iterator[Iterator[str]]:
    for start in range(0, len(items), _SLICE):
        some = items[start : start + _SLICE]
        if _is_small(some):
            yield iter([_encode(some)[1:-1]])
        else:
            yield from map(_parts, some)


def _members(members: dict[str, Any]) -> Iterator[Iterator[str]]:
    left = iter(members.items())
    while some := dict(islice(left, _SLICE)):
        if _is_small(some):
            yield iter([_encode(some)[1:-1]])
        else:
            for name, value in some.items():
                yield _member(name, value)


def _member(name: str, value: Any) -> Iterator[str]:
    yield from _parts(name)
    yield ':'
    yield from _parts(value)


def _is_small(value: Any) -> bool:
    """Tell whether a value can be written at once; looks at no more of it than that."""
    left, waiting = _PART, [value]
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind is str:
            left -= len(each) // _CHARACTERS
        elif kind is dict:
            left -= len(each) * 2
            if left >= 0:
                waiting += each
                waiting += each.values()
        elif kind is list:
            left -= len(each)
            if left >= 0:
                waiting += each
        if left < 0:
            return False
    return True
