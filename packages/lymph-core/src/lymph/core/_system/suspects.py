"""Owners of locks that may have died, and when to check their locks. Pure: no clock, no files.

The lock of a process may be released a moment after its connections are closed and its death is
reported, for example because a child between fork and exec holds it too. So each suspicion leads
to `CHECKS` checks: the first at once, the second after `FIRST_INTERVAL`, each later one after twice
the previous interval; they take 1.3 s in all.

=============  ============================================  ========================
state          entered by                                    left for
=============  ============================================  ========================
trusted        never suspected, or checked `CHECKS` times    suspected, by `add`
suspected      `add`; `add` again changes nothing            trusted, by `checked`
=============  ============================================  ========================
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

__all__ = ['CHECKS', 'FIRST_INTERVAL', 'Suspects']

Owner = TypeVar('Owner', bound=Hashable)

CHECKS = 7
FIRST_INTERVAL = 0.02  # seconds


class Suspects(Generic[Owner]):
    """The suspected owners, each by a hashable name: a process id, the key of an instance."""

    def __init__(self) -> None:
        self._left: dict[Owner, int] = {}  # checks

    def add(self, owner: Owner) -> None:
        """Suspect `owner`, unless it is suspected already."""
        self._left.setdefault(owner, CHECKS)

    def current(self) -> frozenset[Owner]:
        """Return the suspected owners."""
        return frozenset(self._left)

    def checked(self, owners: Collection[Owner]) -> None:
        """Count one check of each of `owners`; an owner is trusted again after the last check."""
        for owner in owners:
            left = self._left.pop(owner, 0) - 1
            if left > 0:
                self._left[owner] = left

    def clear(self) -> None:
        """Trust all owners."""
        self._left.clear()

    def interval(self) -> float | None:
        """Return the seconds until the next check; None if no owner is suspected.

        The newest suspicion decides, since its intervals are the shortest.
        """
        if not self._left:
            return None
        done = CHECKS - max(self._left.values())
        return FIRST_INTERVAL * 2.0 ** (done - 1) if done else 0.0
