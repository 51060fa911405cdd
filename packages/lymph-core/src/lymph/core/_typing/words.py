"""Our words for types of values, in errors about arguments."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from lymph.config.printable import printable

__all__ = ['found_word', 'spoken']

_NAME: Final = 100  # characters of the name of a class

#: by msgspec's name for a type
_WORDS: Final = {
    'int': 'a whole number',
    'float': 'a number',
    'str': 'text',
    'bool': 'true or false',
    'null': 'None',
    'NoneType': 'None',
    'array': 'a list',
    'object': 'a mapping',
    'bytes': 'bytes',
    'datetime': 'a date and time',
    'date': 'a date',
    'time': 'a time',
    'uuid': 'a UUID',
    'decimal': 'a decimal number',
    'list': 'a list',
    'tuple': 'a list',
    'dict': 'a mapping',
    'set': 'a set',
    'frozenset': 'a set',
}
_FOUND: Final[tuple[tuple[Any, str], ...]] = (
    (type(None), 'null'),
    (bool, 'bool'),
    (int, 'int'),
    (float, 'float'),
    (str, 'str'),
    ((bytes, bytearray, memoryview), 'bytes'),
    ((list, tuple), 'array'),
    ((set, frozenset), 'set'),
    (dict, 'object'),
    (datetime.datetime, 'datetime'),
    (datetime.date, 'date'),
    (datetime.time, 'time'),
    (UUID, 'uuid'),
    (Decimal, 'decimal'),
)


def spoken(names: str) -> str:
    """Return the words for names of types as msgspec writes them: ``int | null``."""
    words = dict.fromkeys(_WORDS.get(name, name) for name in names.split(' | '))
    return ' or '.join(words)


def found_word(value: object) -> str:
    """Return the words for the type of a value."""
    for kind, name in _FOUND:
        if isinstance(value, kind):
            return _WORDS[name]
    return printable(type(value).__name__, _NAME)
