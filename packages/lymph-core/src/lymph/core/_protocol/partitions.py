"""Which partition a key belongs to, and which member of a group a partition belongs to.

- The partition of a key depends only on the key and the number of partitions, on every machine and
  in every version: CRC-32 of the key's UTF-8, modulo the number.
- Every member computes the same division from the same set of members, without communication.
- Rendezvous hashing: each pair of partition and member has a score. The best pairs are matched
  first, until a member has its share. So few partitions move when members join or leave, and the
  numbers of two members differ by at most one.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from zlib import crc32

__all__ = ['divide', 'partition_of']


def partition_of(key: str, count: int) -> int:
    """Return the partition of a key, from 0 to `count` - 1."""
    return crc32(key.encode()) % count


def divide(members: Iterable[str], count: int) -> dict[str, frozenset[int]]:
    """Return the partitions (of 0 to `count` - 1) of each of `members`."""
    names = sorted(set(members))
    if not names:
        return {}
    least, extra = divmod(count, len(names))
    pairs = sorted(
        (_score(name, partition), name, partition) for name in names for partition in range(count)
    )
    owned: dict[str, set[int]] = {name: set() for name in names}
    free = set(range(count))
    for _, name, partition in pairs:
        mine = owned[name]
        # A member that is full stays full, so a pair that is passed over is never needed again, and
        # one pass over the pairs gives every partition an owner.
        if partition not in free or len(mine) > least or (len(mine) == least and not extra):
            continue
        extra -= len(mine) == least  # this member takes one more than `least`
        mine.add(partition)
        free.remove(partition)
    return {name: frozenset(partitions) for name, partitions in owned.items()}


def _score(name: str, partition: int) -> bytes:
    return blake2b(f'{partition}/{name}'.encode(), digest_size=8).digest()
