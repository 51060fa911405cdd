"""Members of sets and keys of maps: hashable on both sides, and never many of one hash.

Python finds the members of one hash by comparing them one after another: 10,000 UUIDs that are
multiples of 2**61 - 1 take 11 seconds. Honest data has next to no such members.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from lymph.core.limits import DEPTH
from lymph.serializers._codec.excess import too_deep

__all__ = ['COLLISIONS', 'check_hashes', 'hashable']

#: members of one container that may share their hashes with others
COLLISIONS: Final = 16
_NESTED: Final = frozenset({list, set})
_OF_NUMBERS: Final = 48  # there are 46 powers of two and integers of 64 bits with the hash 1


def check_hashes(members: Collection[Any]) -> None:
    """Raise ValueError when too many members share a hash; takes linear time.

    Raises TypeError when one cannot be hashed.
    """
    if len(members) <= COLLISIONS or _shared(members) <= COLLISIONS:
        return
    # Numbers may share hashes by chance, since they are not salted: 1 and 2**61 do.
    others = [m for m in members if type(m) is not int and type(m) is not float]
    if _shared(others) > COLLISIONS or _shared(members) > _OF_NUMBERS:
        raise ValueError(f'more than {COLLISIONS} members or keys share a hash')


def _shared(members: Collection[Any]) -> int:
    return len(members) - len({*map(hash, members)})


def hashable(member: Any, depth: int = DEPTH) -> Any:
    """Return the tuple or frozenset that a list or set was before it travelled, all else as is.

    Raises ValueError when more than `depth` of them are inside each other.
    """
    if isinstance(member, list):
        if not depth:
            raise too_deep()
        if _NESTED.isdisjoint(map(type, member)):
            return tuple(member)
        return tuple([hashable(inner, depth - 1) for inner in member])
    if isinstance(member, set):
        return frozenset(member)
    return member
