"""When to ping a silent peer, and when it counts as dead.

Theory: the owner of many links checks each of them every `tick` seconds, and counts the consecutive
checks (*looks*) without new data from the peer. Looks are counted rather than seconds: a process
that was blocked itself (by a handler that blocks the loop, or SIGSTOP) has made no looks meanwhile,
and so does not take its peers for dead.
"""

from __future__ import annotations

import math

__all__ = ['Liveness']

_LOOKS = 4  # between the last data from the peer and a ping, and between two pings


class Liveness:
    """Translates silence in seconds into numbers of looks.

    After `interval` seconds of silence a peer is pinged, after `limit` seconds it counts as dead. A
    silence is never overestimated; it is underestimated by two ticks at most. Raises ValueError for
    numbers of 0 or less.
    """

    def __init__(self, interval: float, limit: float) -> None:
        if interval <= 0 or limit <= 0:
            raise ValueError(f'expected seconds above 0, found {interval} and {limit}')
        self.limit = limit
        self.tick = min(interval, limit / 3) / _LOOKS  # at least three pings within the limit
        self._dead = self._looks(limit)

    def question_due(self, looks: int) -> bool:
        """Tell whether to ping the peer after this number of silent looks."""
        return looks % _LOOKS == 0

    def verdict(self, looks: int, asked: bool, ttl: float | None) -> str | None:
        """Return why the link has to go down after `looks` silent looks, None if it may stay up.

        `asked` tells whether the peer answers pings. `ttl` is the silence in seconds after which
        the peer itself wants the link closed, None if it has not said so.
        """
        if asked and looks >= self._dead:
            return f'the peer has been silent for {self.limit:g} s'
        if ttl is not None and looks >= self._looks(ttl):
            return f'the peer has been silent for {ttl:g} s, its own limit'
        return None

    def _looks(self, seconds: float) -> int:
        return max(1, math.ceil(seconds / self.tick))
