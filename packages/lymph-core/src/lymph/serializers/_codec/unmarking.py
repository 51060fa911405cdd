"""From JSON types to values: marks are read back, within the bounds of a message."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from lymph.config.printable import quoted
from lymph.core.limits import ITEMS
from lymph.serializers._codec import moments
from lymph.serializers._codec.excess import too_deep, too_many
from lymph.serializers._codec.marking import scalar_misfit
from lymph.serializers._codec.members import check_hashes, hashable

__all__ = ['Unmarker', 'check_count']

_READERS: Final[dict[str, Callable[[str], Any]]] = {
    '$datetime': moments.read_datetime,
    '$date': moments.read_date,
    '$time': moments.read_time,
    '$uuid': UUID,
    '$decimal': Decimal,
    '$bytes': lambda text: base64.b64decode(text, validate=True),
}

# the end of a text may be missing: a search that began again at each quote would never end
_TEXT: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BLANKS: Final = dict.fromkeys(map(ord, ' \t\n\r'))


class Unmarker:
    """Reads one value."""

    def __init__(self) -> None:
        self._left = ITEMS

    def read(self, value: Any, depth: int) -> Any:
        """Return the value that JSON types hold; raises ValueError or TypeError."""
        if isinstance(value, list):
            self._enter(value, depth)
            return [self.read(member, depth - 1) for member in value]
        if isinstance(value, dict):
            return self._object(value, depth)
        problem = scalar_misfit(value)
        if problem is not None:
            raise problem
        return value

    def _object(self, value: dict[str, Any], depth: int) -> Any:
        # {"$object": {...}}         an object whose only key looks like a mark
        # {"$set": [...]}            a set
        # {"$date": "2016-02-19"}    another marked value, see `_READERS`
        # all else                   an object
        if len(value) == 1:
            mark, inner = next(iter(value.items()))
            if mark == '$object' and isinstance(inner, dict):
                return self._members(inner, depth)
            if mark == '$set':
                return self._set(inner, depth)
            if mark in _READERS:
                if not isinstance(inner, str):
                    raise ValueError(f'expected a text in {mark}, found {quoted(inner)}')
                return _READERS[mark](inner)
        return self._members(value, depth)

    def _members(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        self._enter(value, depth)
        for key in value:
            problem = scalar_misfit(key)
            if problem is not None:
                raise problem
        return {key: self.read(member, depth - 1) for key, member in value.items()}

    def _set(self, members: Any, depth: int) -> set[Any]:
        if not isinstance(members, list):
            raise ValueError(f'expected a list in $set, found {quoted(members)}')
        self._enter(members, depth)
        read = [hashable(self.read(member, depth - 1)) for member in members]
        check_hashes(read)
        return set(read)

    def _enter(self, container: list[Any] | dict[str, Any], depth: int) -> None:
        self._left -= len(container)
        if not depth:
            raise too_deep()
        if self._left < 0:
            raise too_many()


def check_count(text: str) -> None:
    """Raise ValueError for JSON with more members than any value of `ITEMS` members needs.

    A mark is an object of one member, so that is twice as many. Texts are passed over only where
    the commas in them would make the difference.
    """
    most = 2 * ITEMS + 1
    if len(text) > ITEMS and _separators(text) > most:
        bare = _TEXT.sub('0', text)
        if bare.count(',') > most or _separators(bare.translate(_NO_BLANKS)) > most:
            raise too_many()


def _separators(text: str) -> int:
    """Return how many members there are in text without blanks, and not less in any other."""
    opened = text.count('[') + text.count('{') - text.count('[]') - text.count('{}')
    return text.count(',') + opened
