"""Chooses the delay queue that an event waits in. Pure: the clock is an argument.

A delay queue passes its events on when they have waited. It has to expire, or every delay ever
asked for would leave a queue behind, but never with an event in it. RabbitMQ deletes a queue after
``x-expires`` without use. Publishing to a queue does not count as use; declaring it again counts
for classic queues, but not for quorum queues. So:

- Delays are rounded up to a few levels; a level has one queue at a time.
- Time is divided into slots. A queue is named after its slot, so that nothing is published to it
  when the slot is over, and it outlives the slot by the delay and a margin. So it is empty when it
  expires, however often it was declared.
- The margin also covers clocks that differ from machine to machine. Within a process time goes on
  evenly (`lymph.core._system.clocks.SteadyClock`): after the wall clock was set back, events would
  be put into a queue that ends before they have waited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ['LONGEST', 'Level', 'coarse', 'fine']

LONGEST = 30 * 86400.0  # seconds; with slot and margin just under RabbitMQ's limit of 2**32 ms
_SLOT = 3600.0  # seconds, at least
_COARSE = (1, 2, 5, 10)
_SHORTEST_COARSE = 100  # ms


@dataclass(frozen=True)
class Level:
    """A delay queue: how long events wait in it, which slot it belongs to, when it ends.

    All times are whole milliseconds; `wait` is what was asked for, never more than `ttl`.
    """

    wait: int
    ttl: int
    slot: int
    expires: int

    @property
    def suffix(self) -> str:
        """What tells this level's queue from the others."""
        return f'{self.ttl}.{self.slot}'


def fine(delay: float, now: float) -> Level:
    """Return the level for a delay of up to `LONGEST` seconds, at most a tenth longer than it."""
    wait = max(math.ceil(delay * 1000), 1)
    step: int = 10 ** max(len(str(wait)) - 2, 0)
    return _level(wait, -(-wait // step) * step, now)


def coarse(delay: float, now: float) -> Level:
    """Return one of few levels: 1, 2 or 5 times a power of ten, from 0.1 s."""
    wait = max(math.ceil(delay * 1000), 1)
    ttl = _SHORTEST_COARSE
    while ttl < wait:
        power: int = 10 ** (len(str(ttl)) - 1)
        ttl = next(step * power for step in _COARSE if step * power > ttl)
    return _level(wait, ttl, now)


def _level(wait: int, ttl: int, now: float) -> Level:
    slot = max(_SLOT, ttl / 1000 / 8)
    margin = slot
    expires = math.ceil((slot + margin) * 1000) + ttl
    return Level(wait, ttl, int(now // slot), expires)
