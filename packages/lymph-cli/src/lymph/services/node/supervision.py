"""When an ended process is started again, and after how long. No clock, no process in here.

A process that ends with exit code 0 has finished and stays down. Any other end is a failure, and
the process is started again: at first soon, then, as long as none of its lives reaches
`stable_after`, after delays that double up to `longest_delay`. A life that reaches it wipes the
slate clean. After `failing_after` short lives in a row the process is said to keep failing; it is
still tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['Decision', 'Policy', 'Supervision']


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a node is; times in seconds, `failing_after` in lives."""

    stable_after: float = 10.0
    first_delay: float = 0.5
    longest_delay: float = 30.0
    failing_after: int = 5


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows the end of a process.

    `delay` is in seconds, None if the process stays down; `alarm` is true once, when it begins to
    keep failing.
    """

    delay: float | None
    alarm: bool = False


class Supervision:
    """Remembers how the lives of one process ended."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._short_lives = 0

    @property
    def failing(self) -> bool:
        """Whether the process keeps failing."""
        return self._short_lives >= self._policy.failing_after

    def ended(self, exit_code: int, lived: float) -> Decision:
        """Decide what follows a life of `lived` seconds that ended with `exit_code`."""
        if exit_code == 0:
            self._short_lives = 0
            return Decision(delay=None)
        stable = lived >= self._policy.stable_after
        # The count stops where it means nothing more, so that the power below stays small.
        self._short_lives = 0 if stable else min(self._short_lives + 1, 1000)
        doublings = max(self._short_lives - 1, 0)
        delay = min(self._policy.first_delay * 2.0**doublings, self._policy.longest_delay)
        return Decision(delay, alarm=self._short_lives == self._policy.failing_after)
