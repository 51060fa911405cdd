"""Typed getters: one value of the expected type and range, or an error that says where it stands.

Environment variables are always text, so text that spells a number or a truth value is read as one.
Numbers are finite: `.inf` and `.nan` are refused everywhere.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Collection
from contextlib import suppress
from enum import Enum
from typing import Any, TypeVar, overload

from lymph.config._values.paths import Key
from lymph.config.printable import is_line

T = TypeVar('T')
D = TypeVar('D')


class Required(Enum):
    """The default of a getter that has none."""

    REQUIRED = 'required'


REQUIRED = Required.REQUIRED

#: Seconds in a year: the longest duration. What waits in C code counts milliseconds in few bits.
YEAR = 365 * 24 * 3600
#: Seconds: the shortest duration but for 0. What is done more often does nothing else.
MILLISECOND = 0.001

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
    def get_int(
        self, key: Key, *, minimum: int | None = None, maximum: int | None = None
    ) -> int: ...
    @overload
    def get_int(
        self, key: Key, default: D, *, minimum: int | None = None, maximum: int | None = None
    ) -> int | D: ...
    def get_int(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> int | D:
        """Return a whole number from `minimum` to `maximum`; booleans are rejected."""
        return self._read(key, default, lambda value: _int(value, minimum, maximum))

    @overload
    def get_float(
        self, key: Key, *, minimum: float | None = None, maximum: float | None = None
    ) -> float: ...
    @overload
    def get_float(
        self, key: Key, default: D, *, minimum: float | None = None, maximum: float | None = None
    ) -> float | D: ...
    def get_float(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float | D:
        """Return a finite number from `minimum` to `maximum`, whole ones too."""
        return self._read(key, default, lambda value: _float(value, minimum, maximum))

    @overload
    def get_seconds(
        self, key: Key, *, zero: bool = False, least: float = MILLISECOND, maximum: float = YEAR
    ) -> float: ...
    @overload
    def get_seconds(
        self,
        key: Key,
        default: D,
        *,
        zero: bool = False,
        least: float = MILLISECOND,
        maximum: float = YEAR,
    ) -> float | D: ...
    def get_seconds(
        self,
        key: Key,
        default: D | Required = REQUIRED,
        *,
        zero: bool = False,
        least: float = MILLISECOND,
        maximum: float = YEAR,
    ) -> float | D:
        """Return a duration in seconds from `least` to `maximum`; with `zero`, 0 too."""
        return self._read(key, default, lambda value: _seconds(value, zero, least, maximum))

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
        """Return text; numbers are rejected, because YAML has already dropped their zeros."""
        return self._read(key, default, _str)

    @overload
    def get_line(self, key: Key) -> str: ...
    @overload
    def get_line(self, key: Key, default: D) -> str | D: ...
    def get_line(self, key: Key, default: D | Required = REQUIRED) -> str | D:
        """Return text that is not blank and holds no control characters: a name, path, address."""
        return self._read(key, default, _line)

    @overload
    def get_choice(self, key: Key, choices: Collection[str]) -> str: ...
    @overload
    def get_choice(self, key: Key, choices: Collection[str], default: D) -> str | D: ...
    def get_choice(
        self, key: Key, choices: Collection[str], default: D | Required = REQUIRED
    ) -> str | D:
        """Return one of several words."""
        return self._read(key, default, lambda value: _choice(value, choices))

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


def _int(value: object, minimum: int | None = None, maximum: int | None = None) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str):
        with suppress(ValueError):
            number = int(value)
    if number is None or not _within(number, minimum, maximum):
        raise ValueError(f'expected a whole number{_range(minimum, maximum)}')
    return number


def _float(value: object, minimum: float | None = None, maximum: float | None = None) -> float:
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number) or not _within(number, minimum, maximum):
        raise ValueError(f'expected a number{_range(minimum, maximum)}')
    return number


def _seconds(value: object, zero: bool, least: float, maximum: float) -> float:
    with suppress(ValueError):
        number = _float(value)
        if _within(number, least, maximum) or (zero and number == 0):
            return number
    raise ValueError(f'expected seconds{", 0 or" if zero else ""}{_range(least, maximum)}')


def _within(number: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or number >= minimum) and (maximum is None or number <= maximum)


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is None:
        return '' if maximum is None else f', at most {_plain(maximum)}'
    if maximum is None:
        return f', {_plain(minimum)} or more'
    return f' from {_plain(minimum)} to {_plain(maximum)}'


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f'{number:g}'


def _bool(value: object) -> bool:
    truth = _TRUTHS.get(value.lower()) if isinstance(value, str) else value
    if isinstance(truth, bool):
        return truth
    raise ValueError('expected true or false')


def _str(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError('expected text (in quotes, if it looks like something else)')


def _line(value: object) -> str:
    text = _str(value)
    if not is_line(text):
        raise ValueError('expected text, not empty and without control characters')
    return text


def _choice(value: object, choices: Collection[str]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f'expected {" or ".join(choices)}')


def _list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError('expected a list')
