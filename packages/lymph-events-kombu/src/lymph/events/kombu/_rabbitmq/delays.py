"""Choose the delay queue in which an event waits. Pure: the clock is an argument.

A delay queue passes its events on when they have waited for its delay. It has to expire, because
otherwise every delay ever used would leave a queue behind, but only when it is empty. RabbitMQ
deletes a queue after ``x-expires`` without use. Publishing to a queue does not count as use;
declaring it again does for classic queues, but not for quorum queues. So:

- Delays are rounded up to a few levels, and each level has one queue at a time.
- Time is divided into slots, and a queue is named after its slot. When the slot is over, nothing
  is published to the queue any more. The queue outlives its slot by the delay and a margin, so it
  is empty when it expires, however often it was declared.
- The margin also covers differences between the clocks of machines. Within a process the clock is
  steady (`lymph.core._system.clocks.SteadyClock`): if the wall clock was set back and were used
  here, events would be put into queues that expire before the events have waited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ['LONGEST', 'Level', 'coarse', 'fine']

LONGEST = 30 * 86400.0  # seconds; plus slot and margin, just below RabbitMQ's limit of 2**32 ms
_SLOT = 3600.0  # seconds of the shortest slot
_COARSE = (1, 2, 5, 10)
_SHORTEST_COARSE = 100  # ms


@dataclass(frozen=True)
class Level:
    """A delay queue, in whole milliseconds.

    =======  =====================================================================================
    wait     the requested delay, at most `ttl`
    ttl      the longest time that the queue keeps an event
    slot     number of the slot that the queue belongs to
    expires  time without use after which the broker deletes the queue
    =======  =====================================================================================
    """

    wait: int
    ttl: int
    slot: int
    expires: int

    @property
    def suffix(self) -> str:
        """The end of the queue's name, which no other level has."""
        return f'{self.ttl}.{self.slot}'


def fine(delay: float, now: float) -> Level:
    """Return the level for a delay in seconds, at most `LONGEST`.

    Its `ttl` is the delay rounded up to two significant digits, so at most a tenth longer. `now` is
    a Unix time in seconds.
    """
    wait = max(math.ceil(delay * 1000), 1)
    step: int = 10 ** max(len(str(wait)) - 2, 0)
    return _level(wait, -(-wait // step) * step, now)


def coarse(delay: float, now: float) -> Level:
    """Return the level for a delay in seconds, with fewer queues than `fine`.

    Its `ttl` is the delay rounded up to 1, 2 or 5 times a power of ten, at least 0.1 s. `now` is a
    Unix time in seconds.
    """
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
