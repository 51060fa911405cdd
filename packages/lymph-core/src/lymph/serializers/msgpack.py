"""Values as msgpack, with extension types for what msgpack does not know.

Source: the manual, section 4.7. A peer in another language meets these extension types:

====  ===========================  ==============================================================
code  value                        payload
====  ===========================  ==============================================================
1     set, frozenset               a msgpack array of the members
2     datetime, naive or aware     text, ISO 8601: 2016-02-19T12:30:00.000001[+01:00]
3     date                         text, ISO 8601: 2016-02-19
4     time                         text, ISO 8601: 12:30:00.000001[+01:00]
5     UUID                         its 16 bytes
6     Decimal                      text: 12.50
====  ===========================  ==============================================================

A tuple travels as an array and arrives as a list. An object with a method `_lymph_dump_` travels as
whatever that returns. msgpack's own timestamp arrives as an aware datetime, extension types with
other codes as `msgpack.ExtType`.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgpack

from lymph.exceptions import SerializationError
from lymph.serializers.members import hashable
from lymph.serializers.paths import explain

__all__ = ['pack', 'unpack']

_SET, _DATETIME, _DATE, _TIME, _UUID, _DECIMAL = range(1, 7)
_AS_DATETIME = 3  # for `unpackb`


def _default(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return msgpack.ExtType(_SET, pack(list(value)))
    if isinstance(value, datetime.datetime):  # before date, whose subclass it is
        return msgpack.ExtType(_DATETIME, value.isoformat().encode())
    if isinstance(value, datetime.date):
        return msgpack.ExtType(_DATE, value.isoformat().encode())
    if isinstance(value, datetime.time):
        return msgpack.ExtType(_TIME, value.isoformat().encode())
    if isinstance(value, UUID):
        return msgpack.ExtType(_UUID, value.bytes)
    if isinstance(value, Decimal):
        return msgpack.ExtType(_DECIMAL, str(value).encode())
    dump = getattr(type(value), '_lymph_dump_', None)
    if dump is not None:
        return dump(value)
    raise TypeError(
        'expected a msgpack type, set, datetime, date, time, UUID, Decimal'
        ' or an object with _lymph_dump_()'
    )


def _revive(code: int, payload: bytes) -> Any:
    if code == _SET:
        return {hashable(member) for member in unpack(payload)}
    if code == _DATETIME:
        return datetime.datetime.fromisoformat(payload.decode())
    if code == _DATE:
        return datetime.date.fromisoformat(payload.decode())
    if code == _TIME:
        return datetime.time.fromisoformat(payload.decode())
    if code == _UUID:
        return UUID(bytes=payload)
    if code == _DECIMAL:
        return Decimal(payload.decode())
    return msgpack.ExtType(code, payload)


# A Packer keeps its buffer, which saves most of packb's cost; `_default` may run code that packs
# or switches greenlets, so each use takes one out of the list and puts it back.
_packers: list[msgpack.Packer] = []
_KEEP_PACKERS = 16
_BIG = 1 << 20  # bytes; a packer whose buffer grew beyond this is not kept


def pack(value: Any) -> bytes:
    """Return `value` as msgpack.

    Raises SerializationError, which names the path to the value that does not fit.
    """
    packer = _packers.pop() if _packers else msgpack.Packer(default=_default)
    try:
        data: bytes = packer.pack(value)
    except Exception as error:
        raise SerializationError(explain(value, _misfit)) from error
    if len(data) < _BIG and len(_packers) < _KEEP_PACKERS:
        _packers.append(packer)
    return data


def unpack(data: bytes) -> Any:
    """Return the value that `data` holds.

    Raises SerializationError when it is no msgpack or one of our types has a bad payload.
    """
    try:
        return msgpack.unpackb(data, ext_hook=_revive, strict_map_key=False, timestamp=_AS_DATETIME)
    except Exception as error:
        text = str(error) or type(error).__name__
        raise SerializationError(f'expected msgpack, found {len(data)} bytes: {text}') from error


def _misfit(value: Any) -> Exception | None:
    try:
        msgpack.packb(value, default=_default)
    except Exception as error:  # noqa: BLE001 - whatever a `_lymph_dump_` raises is the answer
        return error
    return None
