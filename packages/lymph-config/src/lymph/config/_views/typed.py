"""Readers of one value: each returns it as the expected type, or raises what it expected.

Environment variables are always text, so text that spells a number or a boolean is read as one.
Numbers are finite: `.inf` and `.nan` are rejected everywhere.

Each reader raises ValueError that begins with `expected`; `ConfigView` adds what was found, and
where.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from lymph.config.printable import is_line

#: Seconds in a year, the longest duration: timers in C code count milliseconds in few bits.
YEAR = 365 * 24 * 3600
#: Seconds, the shortest duration other than 0: what runs more often leaves no time for other work.
MILLISECOND = 0.001

#: YAML 1.1's words for booleans.
_BOOLEANS = {
    **dict.fromkeys(('true', 'yes', 'on'), True),
    **dict.fromkeys(('false', 'no', 'off'), False),
}


def read_int(value: object, minimum: int | None, maximum: int | None) -> int:
    """Return a whole number in a range; booleans are rejected. Raises ValueError."""
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str):
        with suppress(ValueError):
            number = int(value)
    if number is None or not _is_within(number, minimum, maximum):
        raise ValueError(f'expected a whole number{_range(minimum, maximum)}')
    return number


def read_float(value: object, minimum: float | None = None, maximum: float | None = None) -> float:
    """Return a finite number in a range, as a float; booleans are rejected. Raises ValueError."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number) or not _is_within(number, minimum, maximum):
        raise ValueError(f'expected a number{_range(minimum, maximum)}')
    return number


def read_seconds(value: object, zero: bool, least: float, maximum: float) -> float:
    """Return seconds from `least` to `maximum`; with `zero`, 0 as well. Raises ValueError."""
    with suppress(ValueError):
        number = read_float(value)
        if _is_within(number, least, maximum) or (zero and number == 0):
            return number
    raise ValueError(f'expected seconds{", 0 or" if zero else ""}{_range(least, maximum)}')


def read_bool(value: object) -> bool:
    """Return a boolean, which may be one of YAML's words for it. Raises ValueError."""
    boolean = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value
    if isinstance(boolean, bool):
        return boolean
    raise ValueError('expected true or false')


def read_str(value: object) -> str:
    """Return text. Raises ValueError for anything else, also for numbers."""
    if isinstance(value, str):
        return value
    raise ValueError('expected text (in quotes, if it looks like something else)')


def read_line(value: object) -> str:
    """Return text that is not blank and has no control characters. Raises ValueError."""
    text = read_str(value)
    if not is_line(text):
        raise ValueError('expected text, not empty and without control characters')
    return text


def read_choice(value: object, choices: Collection[str]) -> str:
    """Return one of several words. Raises ValueError."""
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f'expected {" or ".join(choices)}')


def read_list(value: object) -> list[Any]:
    """Return a list. Raises ValueError for anything else."""
    if isinstance(value, list):
        return value
    raise ValueError('expected a list')


def _is_within(number: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or number >= minimum) and (maximum is None or number <= maximum)


def _range(minimum: float | None, maximum: float | None) -> str:
    if minimum is None:
        return '' if maximum is None else f', at most {_plain(maximum)}'
    if maximum is None:
        return f', {_plain(minimum)} or more'
    return f' from {_plain(minimum)} to {_plain(maximum)}'


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f'{number:g}'
