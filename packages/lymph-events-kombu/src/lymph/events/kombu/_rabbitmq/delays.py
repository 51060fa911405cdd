"""Which delay queue an event waits in; pure decisions, the clock comes in as an argument.

A delay queue hands its events on when they have waited. It has to end some day, or every delay that
was ever asked for would leave one behind, and it must not end with an event in it. RabbitMQ ends a
queue after ``x-expires`` without use, and putting an event in is no use; declaring it again is one
for classic queues and none for quorum queues. So:

- Delays are rounded up to a few levels; a level has one queue at a time.
- Time is cut into spells. A queue is named after its spell, so that nothing is put into it when the
  spell is over, and is made to outlive the spell by the delay and a margin. No event can be in it
  at its end, however often or seldom it was declared.
- The margin also covers clocks that differ from machine to machine. Within a process time goes on
  evenly (`lymph.core._system.clocks.SteadyClock`): after the wall clock was set back, events would
  be put into a queue that ends before they have waited.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ['LONGEST', 'Level', 'coarse', 'fine']

LONGEST = 30 * 86400.0  # seconds; with spell and margin just under RabbitMQ's limit of 2**32 ms
_SPELL = 3600.0  # seconds, at least
_COARSE = (1, 2, 5, 10)
_SHORTEST_COARSE = 100  # ms


@dataclass(frozen=True)
class Level:
    """A delay queue: how long events wait in it, which spell it belongs to, when it ends.

    All times are whole milliseconds; `wait` is what was asked for, never more than `ttl`.
    """

    wait: int
    ttl: int
    spell: int
    expires: int

    @property
    def suffix(self) -> str:
        """What tells this level's queue from the others."""
        return f'{self.ttl}.{self.spell}'


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
    spell = max(_SPELL, ttl / 1000 / 8)
    margin = spell
    expires = math.ceil((spell + margin) * 1000) + ttl
    return Level(wait, ttl, int(now // spell), expires)
