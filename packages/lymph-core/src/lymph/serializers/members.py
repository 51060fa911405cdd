"""Members of sets: what arrived as a list or a set is hashable no more."""

from __future__ import annotations

from typing import Any

__all__ = ['hashable']


def hashable(member: Any) -> Any:
    """Return the tuple or frozenset that a list or set was before it travelled, all else as is."""
    if isinstance(member, list):
        return tuple(hashable(inner) for inner in member)
    if isinstance(member, set):
        return frozenset(member)
    return member
