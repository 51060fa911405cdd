"""Growing delays: before an event is tried again, or a connection."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['Backoff']


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next attempt.

    ========  ==================================================================================
    first     seconds after the first attempt
    factor    by which each further delay is longer
    longest   seconds that no delay exceeds, jitter included
    jitter    share of a delay by which chance may shorten or lengthen it, 0 to 1
    ========  ==================================================================================

    With the defaults every delay is longer than the one before it, whatever the jitter.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 300.0
    jitter: float = 0.25

    def delay(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait after attempt number `attempt`; `chance` is in [0, 1)."""
        delay = self.first
        for _ in range(attempt - 1):
            if delay >= self.longest:
                break
            delay *= self.factor
        delay *= 1 + self.jitter * (2 * chance - 1)
        return min(delay, self.longest)
