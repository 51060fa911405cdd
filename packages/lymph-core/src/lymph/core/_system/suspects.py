"""Owners that may have died, and when to check their locks. No clock, no file.

A dying process may hold its last lock for a moment longer than its connections, or than the kernel
needs to report its death: a child between fork and exec holds it too. So one suspicion leads to
`CHECKS` checks: the first at once, the second after `FIRST_INTERVAL`, each later one after twice
the interval before it, 1.3 s in all.

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
    """Those who are suspected, under any hashable name: a process id, the key of an instance."""

    def __init__(self) -> None:
        self._left: dict[Owner, int] = {}  # checks

    def add(self, owner: Owner) -> None:
        """Suspect `owner`, unless it is suspected already."""
        self._left.setdefault(owner, CHECKS)

    def current(self) -> frozenset[Owner]:
        """Return who is suspected now."""
        return frozenset(self._left)

    def checked(self, owners: Collection[Owner]) -> None:
        """Count one check of each of `owners`; after the last one it is suspected no more."""
        for owner in owners:
            left = self._left.pop(owner, 0) - 1
            if left > 0:
                self._left[owner] = left

    def clear(self) -> None:
        """Suspect nobody any more."""
        self._left.clear()

    def interval(self) -> float | None:
        """Return the seconds until the next check; None when nobody is suspected.

        The newest suspicion decides: it is the one that is checked most often.
        """
        if not self._left:
            return None
        done = CHECKS - max(self._left.values())
        return FIRST_INTERVAL * 2.0 ** (done - 1) if done else 0.0
