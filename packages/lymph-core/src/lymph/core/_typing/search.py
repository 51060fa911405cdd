"""Finds the key at which msgspec stopped, if its path only has ``[...]``.

msgspec checks members in their order and stops at the first that does not fit. So the search
replaces one member by a value that fits no type: if the error changes, the member that did not fit
is this one or a later one, otherwise an earlier one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from lymph.core._typing.misfits import ENDS

__all__ = ['UNKNOWN', 'Search', 'at']

_LONGEST: Final = 0.05  # seconds of CPU time for which the search may block the loop


class _Unknown:
    def __repr__(self) -> str:
        return '[...]'


#: the step to a key that is not known, and the value there
UNKNOWN: Final = _Unknown()


class _Nothing:
    """Its instances fit no type."""


class Search:
    """Finds keys in `value`, about which ``convert(value)`` said `said`."""

    def __init__(self, value: Any, said: str, convert: Callable[[Any], Any]) -> None:
        self._value = value
        self._said = said
        self._convert = convert
        self._end = time.thread_time() + _LONGEST

    def concrete(self, steps: Iterable[Any]) -> list[tuple[Any, bool]]:
        """Return the steps with keys in place of UNKNOWN, and whether each was known before."""
        found: list[tuple[Any, bool]] = []
        for step in steps:
            key = step
            if step is UNKNOWN:
                key = self._key([real for real, _ in found], _with_value)
            found.append((key, step is not UNKNOWN or key is UNKNOWN))
        return found

    def key_at(self, steps: list[Any]) -> Any:
        """Return the key that does not fit of the mapping to which `steps` lead, or UNKNOWN."""
        return self._key(steps, _with_key)

    def _key(self, steps: list[Any], changed: Callable[[dict[Any, Any], Any], Any]) -> Any:
        mapping = at(self._value, steps)
        if not isinstance(mapping, dict) or not mapping:
            return UNKNOWN
        keys = list(mapping)
        low, high = 0, len(keys) - 1
        while low < high:
            if time.thread_time() > self._end:
                return UNKNOWN
            middle = (low + high + 1) // 2
            if self._stops_before(steps, changed(mapping, keys[middle])):
                high = middle - 1
            else:
                low = middle
        return keys[low]

    def _stops_before(self, steps: list[Any], mapping: Any) -> bool:
        try:
            self._convert(_replaced(self._value, steps, mapping))
        except ENDS:
            raise
        except BaseException as error:  # noqa: BLE001 - code of the classes runs
            return str(error) == self._said
        return False


def at(value: Any, steps: Iterable[Any]) -> Any:
    """Return the value to which steps lead, or UNKNOWN."""
    for step in steps:
        if isinstance(value, (set, frozenset)):
            value = list(value)
        try:
            value = value[step]
        except (LookupError, TypeError):
            return UNKNOWN
    return value


def _with_value(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    return {**mapping, key: _Nothing()}


def _with_key(mapping: dict[Any, Any], key: Any) -> dict[Any, Any]:
    return {(_Nothing() if each is key else each): value for each, value in mapping.items()}


def _replaced(value: Any, steps: list[Any], new: Any) -> Any:
    """Return a copy of `value` in which another value is where `steps` lead."""
    if not steps:
        return new
    first, *others = steps
    if isinstance(value, dict):
        return {**value, first: _replaced(value[first], others, new)}
    members = list(value)
    members[first] = _replaced(members[first], others, new)
    return members
