"""What becomes of an event that was not handled: again after a delay, or the dead letters.

- A handler that raised is called again up to `retry` times, after delays that grow and are
  jittered, so that what failed together does not come back together.
- A consumer that died says nothing about the handler, so its events go to others at once; but an
  event that keeps killing its consumers must end somewhere: after `LOSSES` deliveries beyond the
  allowed ones it is a dead letter too.
- `attempt` counts deliveries to a handler, from 1, however they ended. There is one count, so a
  lost consumer uses up one of the retries.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['LOSSES', 'Backoff', 'after_failure', 'after_loss']

LOSSES = 10  # deliveries beyond `retry` that may be lost with their consumers


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next attempt.

    ========  ==================================================================================
    first     seconds after the first attempt
    factor    by which each further delay is longer
    longest   seconds that no delay exceeds, jitter included
    jitter    share of a delay by which chance may shorten or lengthen it, 0 to 1
    ========  ==================================================================================

    With the defaults a longer wait follows every shorter one, whatever chance does.
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


_DEFAULT = Backoff()


def after_failure(
    attempt: int, retry: int, chance: float, backoff: Backoff = _DEFAULT
) -> float | None:
    """Return after how many seconds a failed event is delivered again; None: to the dead letters.

    `attempt` is the one that failed, `retry` how many may follow the first, `chance` a random
    number in [0, 1).
    """
    return backoff.delay(attempt, chance) if attempt <= retry else None


def after_loss(attempt: int, retry: int = 0) -> bool:
    """Tell whether an event is delivered again whose consumer died in attempt number `attempt`."""
    return attempt < 1 + retry + LOSSES
