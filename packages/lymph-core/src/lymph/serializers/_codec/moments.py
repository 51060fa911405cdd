"""Dates and times as ISO 8601 text, with the one thing of Python's that it cannot say.

A clock that is set back shows an hour twice; `fold=1` marks the second time. It follows the text in
the form that RFC 9557 gives to such additions: ``2016-10-30T02:30:00[fold=1]``.
"""

from __future__ import annotations

import datetime
from typing import Final

__all__ = ['read_date', 'read_datetime', 'read_time', 'write']

_FOLD: Final = '[fold=1]'
_LONGEST: Final = 64  # characters; the longest that is written has 50


def write(value: datetime.datetime | datetime.time) -> str:
    """Return a datetime or a time as text."""
    text = value.isoformat()
    return text + _FOLD if value.fold else text


def read_datetime(text: str) -> datetime.datetime:
    """Read the text of a datetime; raises ValueError."""
    if len(text) > _LONGEST or text[-1:] == ']':
        return datetime.datetime.fromisoformat(_without_fold(text)).replace(fold=1)
    return datetime.datetime.fromisoformat(text)


def read_date(text: str) -> datetime.date:
    """Read the text of a date; raises ValueError."""
    return datetime.date.fromisoformat(_bounded(text))


def read_time(text: str) -> datetime.time:
    """Read the text of a time; raises ValueError."""
    if len(text) > _LONGEST or text[-1:] == ']':
        return datetime.time.fromisoformat(_without_fold(text)).replace(fold=1)
    return datetime.time.fromisoformat(text)


def _without_fold(text: str) -> str:
    if not _bounded(text).endswith(_FOLD):
        raise ValueError(f'expected no addition to a date or time but {_FOLD}')
    return text[: -len(_FOLD)]


def _bounded(text: str) -> str:
    if len(text) > _LONGEST:  # Python's error would quote all of it
        raise ValueError(f'expected a date or time, found {len(text)} characters')
    return text
