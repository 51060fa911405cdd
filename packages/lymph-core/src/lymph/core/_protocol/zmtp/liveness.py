"""When a silent peer is asked for a sign of life, and when it counts as dead.

Theory: the owner of many links looks at each of them every `tick` seconds and counts the looks in a
row that found nothing new from the peer. Looks are counted, not seconds: a process that was itself
held up (a handler that blocks the loop, SIGSTOP) made no looks meanwhile and blames nobody.
"""

from __future__ import annotations

import math

__all__ = ['Liveness']

_LOOKS = 4  # between the last sign of life and a question


class Liveness:
    """How many silent looks mean what.

    `interval` is the silence in seconds after which a peer is asked, `limit` that after which it is
    dead. A silence is never taken for longer than it was, and for shorter by two ticks at most.
    """

    def __init__(self, interval: float, limit: float) -> None:
        if interval <= 0 or limit <= 0:
            raise ValueError(f'expected seconds above 0, found {interval} and {limit}')
        self.limit = limit
        self.tick = min(interval, limit / 3) / _LOOKS  # three questions before it is too late
        self._dead = self._looks(limit)

    def question_due(self, looks: int) -> bool:
        """Tell whether the peer is to be asked now."""
        return looks % _LOOKS == 0

    def verdict(self, looks: int, asked: bool, ttl: float | None) -> str | None:
        """Return why the link has to go down, None when it may stay.

        `asked` tells whether the peer is one that answers questions, `ttl` (seconds) after which
        silence the peer itself wants to be given up.
        """
        if asked and looks >= self._dead:
            return f'the peer has been silent for {self.limit:g} s'
        if ttl is not None and looks >= self._looks(ttl):
            return f'the peer has been silent for {ttl:g} s, its own limit'
        return None

    def _looks(self, seconds: float) -> int:
        return max(1, math.ceil(seconds / self.tick))
