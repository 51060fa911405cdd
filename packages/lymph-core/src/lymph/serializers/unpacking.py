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

from msgpack import ExtType, unpackb

from lymph.core.limits import DEPTH, ITEMS
from lymph.serializers.bounds import check_value, is_flat
from lymph.serializers.counting import check_count
from lymph.serializers.excess import too_deep
from lymph.serializers.extensions import DECODERS, SET
from lymph.serializers.members import COLLISIONS, check_hashes, hashable
from lymph.serializers.nesting import EXACT, check_nesting, may_nest

__all__ = ['AS_DATETIME', 'SMALL', 'read_again', 'read_large', 'revive', 'verify']

SMALL: Final = 256  # bytes
_LARGE: Final = 32 * 1024
_OPTION: Final = 'strict_map_key'  # named where it refuses a key


def _tells_keys() -> bool:
    try:
        unpackb(b'\x81\0\0')
    except ValueError as error:
        return _OPTION in str(error)
    return False


#: whether the error for keys can be told from others
_TELLS_KEYS: Final = _tells_keys()

AS_DATETIME: Final = 3  # for `unpackb`


def verify(data: bytes) -> None:
    """Raise what reading it would, and ValueError for two equal keys in one map."""
    check_value(_read_pairs(data, _distinct_keys, revive))


def read_large(data: bytes) -> Any:
    """Return what more than `SMALL` bytes hold; raises whatever is wrong with them."""
    if len(data) > ITEMS:
        check_count(data)
    else:
        _check_claims(data)
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
    try:
        return unpackb(data, ext_hook=functools.partial(_note, sets), timestamp=AS_DATETIME)
    except (TypeError, ValueError) as error:
        if _TELLS_KEYS and not isinstance(error, TypeError) and _OPTION not in str(error):
            raise
    sets.clear()
    return _read_pairs(data, _checked_keys, functools.partial(_note, sets))


def read_again(data: bytes) -> Any:
    """Return what `SMALL` bytes hold that have keys which are unhashable when they arrive."""
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
    if len(pairs) > COLLISIONS:
        check_hashes([key for key, _ in pairs])
    return dict(pairs)


def _distinct_keys(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    mapping = _checked_keys(pairs)
    if len(mapping) != len(pairs):
        raise ValueError('two keys of a map are equal')
    return mapping


def revive(code: int, payload: bytes, level: int = 0) -> Any:
    """Return what an extension type holds that is inside `level` sets."""
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
    if level >= DEPTH:  # each level has a stack of the interpreter's and one of msgpack's
        raise too_deep()
    if len(payload) > SMALL:
        _check_claims(payload)
    members = unpackb(
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


def _no_member(pairs: list[tuple[Any, Any]]) -> Any:
    raise ValueError('a map cannot be a member of a set')


# a hook is not told how deep it is called, so each level has its own
_REVIVE: Final = [functools.partial(revive, level=level + 1) for level in range(DEPTH)]


def _check_claims(data: bytes) -> None:
    """Raise what msgpack does for arrays that announce more members than there are.

    It makes room for what an array announces, and for all that are inside each other at a time.
    """
    maybe = b'\xdc' in data or b'\xdd' in data  # much faster than counting
    if maybe and data.count(b'\xdc') + data.count(b'\xdd') > DEPTH:
        check_nesting(data)
