"""From msgpack to values, at a cost that the bytes of the message bound.

Small messages are read at once. In others, keys other than text and bytes are looked at before a
map is made of them, arrays have to hold what they announce, and more bytes than a message may have
members are counted through first.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any, Final

from msgpack import ExtType, Unpacker, unpackb

from lymph.core.limits import DEPTH, ITEMS
from lymph.serializers._codec.bounds import check_value, is_flat
from lymph.serializers._codec.counting import check_count
from lymph.serializers._codec.excess import too_deep
from lymph.serializers._codec.extensions import DECODERS, SET
from lymph.serializers._codec.members import COLLISIONS, check_hashes, hashable
from lymph.serializers._codec.nesting import EXACT, check_nesting, may_nest

__all__ = ['AS_DATETIME', 'SMALL', 'read_again', 'read_large', 'revive', 'verify']

SMALL: Final = 256  # bytes
_LARGE: Final = 32 * 1024
_ON_STACK: Final = 4  # sets inside each other
_ROOM: Final = 1024  # members that msgpack may make room for before it is known that they come
# options of `unpackb` that are named in the error when they refuse something
_KEYS: Final = 'strict_map_key'
_LENGTH: Final = 'max_array_len'


def _names_options() -> bool:
    for data, option in ((b'\x81\0\0', _KEYS), (b'\x92\0\0', _LENGTH)):
        try:
            unpackb(data, max_array_len=1)
        except ValueError as error:
            if option not in str(error):
                return False
    return True


#: whether those errors can be told from others
_TELLS: Final = _names_options()

AS_DATETIME: Final = 3  # for `unpackb`


def verify(data: bytes) -> None:
    """Raise the error that reading `data` raises, and ValueError for two equal keys in one map."""
    check_value(_read_pairs(data, _distinct_keys, revive))


def read_large(data: bytes) -> Any:
    """Return the value in a message of more than `SMALL` bytes.

    Raises ValueError, TypeError or an error of msgpack for an invalid message.
    """
    if len(data) > ITEMS:
        check_count(data)
    sets: list[bytes] = []
    # the collector would look through all members again and again while they are made, which takes
    # four times as long as making them
    paused = len(data) > _LARGE and gc.isenabled()
    if paused:
        gc.disable()
    try:
        value = _read_text_keys(data, sets)
    finally:
        if paused:
            gc.enable()
    if not is_flat(value, len(data)) and may_nest(data):
        if sets or not EXACT:
            check_value(value)
        else:
            check_nesting(data)
    return value


def _read_text_keys(data: bytes, sets: list[bytes]) -> Any:
    """Return what `data` holds; keys that are neither text nor bytes have to be looked at."""
    hook = functools.partial(_note, sets)
    keys = False
    try:
        return unpackb(data, ext_hook=hook, timestamp=AS_DATETIME, max_array_len=_ROOM)
    except TypeError:
        keys = True  # one is an array or a set
    except ValueError as error:
        keys = _KEYS in str(error)
        if _TELLS and not keys and _LENGTH not in str(error):
            raise
    _check_complete(data)
    if not keys:
        sets.clear()
        try:
            return unpackb(data, ext_hook=hook, timestamp=AS_DATETIME)
        except TypeError:
            pass
        except ValueError as error:
            if _TELLS and _KEYS not in str(error):
                raise
    sets.clear()
    return _read_pairs(data, _checked_keys, hook)


def read_again(data: bytes) -> Any:
    """Return the value in a small message in which keys of maps are arrays or sets."""
    return _read_pairs(data, _revived_keys, revive)


def _read_pairs(
    data: bytes, make: Callable[[list[tuple[Any, Any]]], Any], hook: Callable[[int, bytes], Any]
) -> Any:
    return unpackb(
        data,
        ext_hook=hook,
        object_pairs_hook=make,
        strict_map_key=False,
        timestamp=AS_DATETIME,
    )


def _revived_keys(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    return {hashable(key): value for key, value in pairs}


def _checked_keys(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    if not pairs:
        return {}
    for index, (key, value) in enumerate(pairs):
        if type(key) is list or type(key) is set:
            pairs[index] = hashable(key), value
    # Fewer keys cannot be too many of one hash.
    if len(pairs) > COLLISIONS:
        check_hashes([key for key, _ in pairs])
    return dict(pairs)


def _distinct_keys(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    mapping = _checked_keys(pairs)
    if len(mapping) != len(pairs):
        raise ValueError('two keys of a map are equal')
    return mapping


def revive(code: int, payload: bytes, level: int = 0) -> Any:
    """Return the value of an extension type inside `level` sets.

    Raises ValueError or ArithmeticError for an invalid payload.
    """
    decode = DECODERS.get(code)
    if decode is not None:
        return decode(payload)
    if code != SET:
        return ExtType(code, payload)
    members = _members(level, payload)
    return frozenset(members) if level else set(members)


def _note(sets: list[bytes], code: int, payload: bytes) -> Any:
    if code == SET:
        sets.append(payload)
    return revive(code, payload)


def _members(level: int, payload: bytes) -> tuple[Any, ...]:
    if level >= DEPTH:
        raise too_deep()
    # 0xdc and 0xdd begin long arrays, for which msgpack makes room before their members come.
    if len(payload) > SMALL and (b'\xdc' in payload or b'\xdd' in payload):
        _check_complete(payload)
    members = (unpackb if level < _ON_STACK else _unpack_on_heap)(
        payload,
        use_list=False,
        ext_hook=_REVIVE[level],
        object_pairs_hook=_no_member,
        strict_map_key=False,
        timestamp=AS_DATETIME,
    )
    if type(members) is not tuple:
        raise ValueError('expected a set as an array of its members')
    check_hashes(members)
    return members


def _unpack_on_heap(data: bytes, **options: Any) -> Any:
    """Do as `unpackb`, whose 40 KB of state are on the stack of a thread that may be small."""
    unpacker = Unpacker(read_size=len(data), max_buffer_size=0, **options)
    unpacker.feed(data)
    value = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise ValueError('expected one value, found more bytes')
    return value


def _no_member(pairs: list[tuple[Any, Any]]) -> Any:
    raise ValueError('a map cannot be a member of a set')


# a hook is not told how deep it is called, so each level has its own
_REVIVE: Final = [functools.partial(revive, level=level + 1) for level in range(DEPTH)]


def _check_complete(data: bytes) -> None:
    """Raise OutOfData for arrays that announce more members than follow.

    msgpack would allocate memory for the announced members of all nested arrays.
    """
    if EXACT:
        check_nesting(data)
    else:
        check_count(data)
