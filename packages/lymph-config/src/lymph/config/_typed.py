"""Typed getters: one value of the type that is expected, or an error that says where it stands.

Environment variables are always text, so text that spells a number or a truth value is read as one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, TypeVar, overload

from lymph.config.paths import Key

T = TypeVar('T')
D = TypeVar('D')


class Required(Enum):
    """The default of a getter that has none."""

    REQUIRED = 'required'


REQUIRED = Required.REQUIRED

#: YAML 1.1's words for truth values.
_TRUTHS = {
    **dict.fromkeys(('true', 'yes', 'on'), True),
    **dict.fromkeys(('false', 'no', 'off'), False),
}


class TypedGetters:
    """Getters that return the value at a key, or the default where it is absent or null.

    Each raises MissingKeyError where there is neither value nor default, and ConfigurationError
    where the value is of another type.
    """

    @overload
    def get_int(self, key: Key) -> int: ...
    @overload
    def get_int(self, key: Key, default: D) -> int | D: ...
    def get_int(self, key: Key, default: D | Required = REQUIRED) -> int | D:
        """Return a whole number; true and false are none."""
        return self._read(key, default, _int)

    @overload
    def get_float(self, key: Key) -> float: ...
    @overload
    def get_float(self, key: Key, default: D) -> float | D: ...
    def get_float(self, key: Key, default: D | Required = REQUIRED) -> float | D:
        """Return a number, whole ones too; durations are numbers of seconds."""
        return self._read(key, default, _float)

    @overload
    def get_bool(self, key: Key) -> bool: ...
    @overload
    def get_bool(self, key: Key, default: D) -> bool | D: ...
    def get_bool(self, key: Key, default: D | Required = REQUIRED) -> bool | D:
        """Return true or false."""
        return self._read(key, default, _bool)

    @overload
    def get_str(self, key: Key) -> str: ...
    @overload
    def get_str(self, key: Key, default: D) -> str | D: ...
    def get_str(self, key: Key, default: D | Required = REQUIRED) -> str | D:
        """Return text; a number is none, because YAML has already dropped its zeros."""
        return self._read(key, default, _str)

    @overload
    def get_list(self, key: Key) -> list[Any]: ...
    @overload
    def get_list(self, key: Key, default: D) -> list[Any] | D: ...
    def get_list(self, key: Key, default: D | Required = REQUIRED) -> list[Any] | D:
        """Return a list, its items as `get` returns values."""
        return self._read(key, default, _list)

    @abstractmethod
    def _read(self, key: Key, default: D | Required, reader: Callable[[object], T]) -> T | D:
        """Return what the reader makes of the value at a key, or the default.

        A reader raises ValueError with the words for what it expected.
        """


def _int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
    raise ValueError('expected a whole number')


def _float(value: object) -> float:
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if math.isnan(number):
        raise ValueError('expected a number')
    return number


def _bool(value: object) -> bool:
    truth = _TRUTHS.get(value.lower()) if isinstance(value, str) else value
    if isinstance(truth, bool):
        return truth
    raise ValueError('expected true or false')


def _str(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError('expected text (in quotes, if it looks like something else)')


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError('expected a list')
