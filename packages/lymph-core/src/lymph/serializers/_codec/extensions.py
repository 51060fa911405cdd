"""Our extension types of msgpack: their codes, and the payloads of all but sets.

The table of them stands in `lymph.serializers.msgpack`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

from msgpack import ExtType, Timestamp

from lymph.serializers._codec import moments

__all__ = ['DECODERS', 'ENCODERS', 'SET', 'check_foreign']

SET: Final = 1
_DATETIME, _DATE, _TIME, _UUID, _DECIMAL = range(2, 7)

# without the checks of its own, which cost as much as packing it
_extension: Final = cast('Callable[[tuple[int, bytes]], ExtType]', partial(tuple.__new__, ExtType))

#: by exact type
ENCODERS: Final[dict[type, Callable[[Any], ExtType]]] = {
    datetime.datetime: lambda value: _extension((_DATETIME, moments.write(value).encode())),
    datetime.date: lambda value: _extension((_DATE, value.isoformat().encode())),
    datetime.time: lambda value: _extension((_TIME, moments.write(value).encode())),
    UUID: lambda value: _extension((_UUID, value.bytes)),
    Decimal: lambda value: _extension((_DECIMAL, str(value).encode())),
}

#: by code, for all but sets; raise ValueError or ArithmeticError for a bad payload
DECODERS: Final[dict[int, Callable[[bytes], Any]]] = {
    _DATETIME: lambda payload: moments.read_datetime(payload.decode()),
    _DATE: lambda payload: moments.read_date(payload.decode()),
    _TIME: lambda payload: moments.read_time(payload.decode()),
    _UUID: lambda payload: UUID(bytes=payload),
    _DECIMAL: lambda payload: Decimal(payload.decode()),
}


def check_foreign(value: ExtType | Timestamp) -> None:
    """Raise ValueError for an extension type of the user's that would arrive as something else."""
    if isinstance(value, ExtType):
        if value.code == SET or value.code in DECODERS:
            raise ValueError(
                f'the code {value.code} is taken, expected one from {_DECIMAL + 1} to 127'
            )
    elif value.nanoseconds % 1000:
        raise ValueError('a time stamp arrives as a datetime, which has no nanoseconds')
    else:
        value.to_datetime()  # raises where that would
