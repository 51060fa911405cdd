"""The types that both serializers know, and what becomes of all others.

An object with a method `_lymph_dump_` counts as what that returns, also where its class derives
from a type that is known. Otherwise an instance of a subclass counts as one of its base, any other
mapping as a dict, and an object of one of the kinds in `objects` as its fields or its value.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgpack import ExtType, Timestamp

from lymph.core.limits import DEPTH
from lymph.exceptions import Cancelled
from lymph.serializers._codec.objects import dumper_of

__all__ = ['KNOWN', 'MAPPINGS', 'MEMBERS', 'Dumps', 'as_known', 'dump_of']

#: the object that was dumped, what came of it, and the error if there was one; by the object's id
Dumps = dict[int, tuple[Any, Any, Exception | None]]

MEMBERS: Final = (list, tuple, set, frozenset)
MAPPINGS: Final = (dict, Mapping)


def _as_moment(value: datetime.datetime) -> datetime.datetime:
    date, time = _as_date(value), _as_time(value.timetz())
    return datetime.datetime.combine(date, time)


def _as_date(value: datetime.date) -> datetime.date:
    return datetime.date(value.year, value.month, value.day)


def _as_time(value: datetime.time) -> datetime.time:
    return datetime.time(
        value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold
    )


# in the order in which they are tried: a datetime is a date, too
_BASES: Final[dict[type, Callable[[Any], Any]]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda value: b''.join((value,)),
    bytearray: bytes,
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    datetime.datetime: _as_moment,
    datetime.date: _as_date,
    datetime.time: _as_time,
    UUID: lambda value: UUID(int=value.int),
    Decimal: Decimal,
}

KNOWN: Final = frozenset({*_BASES, dict, type(None), bool, memoryview, ExtType, Timestamp})


#: classes of which an instance counts as one of a type that is known
_BASED: Final = (*_BASES, *MAPPINGS)


def as_known(value: Any, dumps: Dumps) -> Any:
    """Return `value` as an instance of one of the types in `KNOWN`.

    Every object that is dumped is noted in `dumps`. Raises TypeError for a type that cannot travel,
    ValueError for dumps that never end, and what dumping an object raises: RuntimeError for what is
    no `Exception`, such as `SystemExit`.
    """
    for _ in range(DEPTH + 1):
        kind = type(value)
        if kind in KNOWN:
            return value
        dump = dump_of(kind)
        if dump is None:
            return _as_base(value)
        value = _dumped(dump, value, dumps)
    raise ValueError(f'expected _lymph_dump_() to end, found {DEPTH} objects that dump objects')


def dump_of(kind: type) -> Callable[[Any], Any] | None:
    """Return what dumps objects of a class; None for those that count as one of a known type."""
    try:  # a metaclass may have methods that run here
        dump: Callable[[Any], Any] | None = getattr(kind, '_lymph_dump_', None)
        if dump is None and not issubclass(kind, _BASED):
            return dumper_of(kind)
    except Exception:
        raise
    except BaseException as raised:
        if _is_thrown(raised):
            raise
        raise RuntimeError(f'its class raised {type(raised).__name__}') from raised
    return dump


def _dumped(dump: Callable[[Any], Any], value: Any, dumps: Dumps) -> Any:
    result, error = None, None
    try:
        result = dump(value)
    except Exception as raised:
        error = raised
        raise
    except BaseException as raised:
        if _is_thrown(raised):
            raise
        error = RuntimeError(f'dumping it raised {type(raised).__name__}')
        raise error from raised
    finally:
        dumps[id(value)] = value, result, error
    return result


def _is_thrown(error: BaseException) -> bool:
    """Tell whether an error comes from outside: a key that was pressed, a timeout, an end."""
    homes = {base.__module__.partition('.')[0] for base in type(error).__mro__}
    thrown = isinstance(error, (KeyboardInterrupt, Cancelled))
    return thrown or not homes.isdisjoint(('gevent', 'greenlet'))


def _as_base(value: Any) -> Any:
    for base, convert in _BASES.items():
        if isinstance(value, base):
            return convert(value)
    if isinstance(value, MAPPINGS):
        return dict(value.items())
    raise TypeError(
        'expected None, a bool, int, float, text, bytes, list, tuple, set, mapping, datetime, date,'
        ' time, UUID, Decimal, Enum, dataclass, NamedTuple, attrs class, msgspec.Struct, pydantic'
        ' model or an object with _lymph_dump_()'
    )
