"""From values to JSON types: with marks that can be read back, or plain for people."""

from __future__ import annotations

import base64
import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgpack import ExtType, Timestamp

from lymph.config.printable import quoted
from lymph.core.limits import ITEMS
from lymph.serializers._codec import moments
from lymph.serializers._codec.excess import too_deep, too_many
from lymph.serializers._codec.kinds import KNOWN, Dumps, as_known
from lymph.serializers._codec.members import check_hashes

__all__ = ['MARKS', 'Marker', 'Plainer', 'key_misfit', 'scalar_misfit']

_BYTES: Final = frozenset({bytes, bytearray, memoryview})
_MARKS: Final[dict[type, str]] = {
    datetime.datetime: '$datetime',
    datetime.date: '$date',
    datetime.time: '$time',
    UUID: '$uuid',
    Decimal: '$decimal',
    **dict.fromkeys(_BYTES, '$bytes'),
}
#: an object with one of these as its only key is a marked value
MARKS: Final = frozenset({*_MARKS.values(), '$set', '$object'})

_LONG: Final = 1000  # bits; Python's bound for the digits of a number cannot be lower
_INFINITE: Final = (float('inf'), float('-inf'))


class _Writer:
    """Goes through a value within the bounds of a message."""

    def __init__(self) -> None:
        self.dumps: Dumps = {}
        self._left = ITEMS

    def known(self, value: Any) -> Any:
        """Return the value as one of a type that is known; raises TypeError or ValueError."""
        return value if type(value) in KNOWN else as_known(value, self.dumps)

    def enter(self, members: int, depth: int) -> None:
        """Count a container; raises ValueError beyond the bounds."""
        self._left -= members
        if not depth:
            raise too_deep()
        if self._left < 0:
            raise too_many()


class Marker(_Writer):
    """Makes JSON types of a value, with marks on what JSON does not know."""

    def mark(self, value: Any, depth: int, hashed: bool = False) -> Any:
        """Return `value`, which may have `depth` containers inside each other, in JSON types.

        `hashed` is for members of sets, which must be hashable when they arrive. Raises TypeError
        or ValueError for a value that does not travel.
        """
        value = self.known(value)
        kind = type(value)
        if kind is dict:
            if hashed:
                raise TypeError('a mapping cannot be a member of a set')
            return self._object(value, depth)
        if kind is list or kind is tuple:
            self.enter(len(value), depth)
            # in a set this is a tuple, which is hashable if all its members are
            return [self.mark(member, depth - 1, hashed) for member in value]
        if kind is set or kind is frozenset:
            self.enter(len(value), depth)
            check_hashes(value)
            return {'$set': [self.mark(member, depth - 1, True) for member in value]}
        problem = scalar_misfit(value)
        if problem is not None:
            raise problem
        mark = _MARKS.get(kind)
        return value if mark is None else {mark: _text(value)}

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self.enter(len(value), depth)
        result = {self._key(key): self.mark(member, depth - 1) for key, member in value.items()}
        if len(result) != len(value):
            raise ValueError('two keys of an object are equal')
        return {'$object': result} if len(result) == 1 and not MARKS.isdisjoint(result) else result

    def _key(self, key: Any) -> str:
        key = self.known(key)
        problem = key_misfit(key) or scalar_misfit(key)
        if problem is not None:
            raise problem
        return str(key)


class Plainer(_Writer):
    """Makes JSON types of a value for printing: texts and lists of what JSON does not know."""

    def plain(self, value: Any, depth: int) -> Any:
        """Return `value`, which may have `depth` containers inside each other, in JSON types."""
        value = self.known(value)
        kind = type(value)
        if kind is dict:
            self.enter(len(value), depth)
            # of keys with the same text, such as 1 and '1', the last one is shown
            return {
                key if isinstance(key, str) else str(self.known(key)): self.plain(member, depth - 1)
                for key, member in value.items()
            }
        if kind in (list, tuple, set, frozenset):
            self.enter(len(value), depth)
            return [self.plain(member, depth - 1) for member in value]
        if kind is ExtType:
            return [value.code, _text(value.data)]
        if kind is Timestamp:
            return value.to_datetime().isoformat()
        return _text(value) if kind in _MARKS else value


def scalar_misfit(value: Any) -> Exception | None:
    """Return the error for a scalar that JSON cannot hold, None if it can."""
    kind = type(value)
    if kind is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return error
    if kind is int and value.bit_length() > _LONG:
        try:
            str(value)
        except ValueError as error:  # more digits than Python converts
            return error
    if kind is float and (value != value or value in _INFINITE):
        return ValueError(f'expected a finite number, found {value}')
    if kind is ExtType or kind is Timestamp:
        return TypeError('JSON has no extension types')
    return None


def key_misfit(key: Any) -> Exception | None:
    """Return the error for a value that cannot be a key of an object, None if it can."""
    if type(key) is not str:
        return TypeError(f'expected a text as key of an object, found {quoted(key)}')
    return None


def _text(value: Any) -> str:
    kind = type(value)
    if kind in _BYTES:
        return base64.b64encode(bytes(value)).decode()
    if kind is datetime.datetime or kind is datetime.time:
        return moments.write(value)
    return value.isoformat() if kind is datetime.date else str(value)
