"""The bounds of values that msgpack itself does not check: nesting, hashes, extension types."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from msgpack import ExtType, Timestamp

from lymph.core.limits import DEPTH
from lymph.serializers._codec.excess import too_deep
from lymph.serializers._codec.extensions import check_foreign
from lymph.serializers._codec.kinds import KNOWN, MAPPINGS, MEMBERS
from lymph.serializers._codec.members import check_hashes

__all__ = ['CONTAINERS', 'check_value', 'is_flat']

CONTAINERS: Final = frozenset({dict, *MEMBERS})

_FOREIGN: Final = (ExtType, Timestamp)
_TEXTS: Final = frozenset({str, bytes})
_PER_MEMBER: Final = 16  # bytes that are looked at as fast as one member
_FLAT: Final = KNOWN - {*CONTAINERS, *_FOREIGN}


def check_value(value: Any, hashes: bool = True) -> None:
    """Raise ValueError for more than `DEPTH` containers inside each other, and for bad members.

    Those are keys of one hash (unless `hashes` is false), and extension types that would arrive as
    something else. Objects that were dumped are passed over.
    """
    if is_flat(value):
        return
    if isinstance(value, _FOREIGN):
        check_foreign(value)
    level = [value] if _is_container(type(value)) else []
    for _ in range(DEPTH):
        level = _containers_in(level, hashes)
        if not level:
            return
    raise too_deep()


def is_flat(value: Any, size: int = 0) -> bool:
    """Tell whether a value holds no containers and no extension types: most do not.

    With the number of its bytes, a value of very many members is not looked at and counts as one
    that may hold some, since to look at the bytes is cheaper then.
    """
    kind = type(value)
    if size and (kind is dict or kind is list) and len(value) * _PER_MEMBER > size:
        return False
    if kind is dict:
        return _TEXTS.issuperset(map(type, value)) and _FLAT.issuperset(map(type, value.values()))
    return kind in _FLAT or (kind is list and _FLAT.issuperset(map(type, value)))


def _containers_in(level: list[Any], hashes: bool) -> list[Any]:
    """Return the containers that are values, members or keys of those in `level`."""
    found: list[Any] = []
    for container in level:
        if not container:
            continue
        kind = type(container)
        if kind is not dict and not isinstance(container, MEMBERS):
            container = dict(container.items())  # another mapping, as it is sent
            kind = dict
        if kind is not dict:
            found += _among(container)
            continue
        if not _FLAT.issuperset(map(type, container.values())):
            found += _among(container.values())
        # Python salts the hashes of text and bytes, so nobody can choose them to be equal.
        if not _TEXTS.issuperset(map(type, container)):
            if hashes:
                check_hashes(container)
            found += _among(container)
    return found


def _among(members: Collection[Any]) -> list[Any]:
    if _FLAT.issuperset(map(type, members)):
        return []
    for member in members:
        if type(member) in _FOREIGN:
            check_foreign(member)
    return [member for member in members if _is_container(type(member))]


def _is_container(kind: type) -> bool:
    if kind in KNOWN:
        return kind in CONTAINERS
    return issubclass(kind, (*MEMBERS, *MAPPINGS)) and not hasattr(kind, '_lymph_dump_')
