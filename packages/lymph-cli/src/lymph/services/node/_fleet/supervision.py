"""When an ended process is started again, and after how long. No clock, no process in here.

========  ====================================  ===================================================
state     meaning                               what may happen, and the next state
========  ====================================  ===================================================
stopped   no process, as an operator wants it   start: starting
starting  a process runs, but is not ready      ready: running; end: see below; stop: stopping
running   a process runs and is ready           end: see below; stop: stopping; replace: running
waiting   no process; another after a delay     start: starting; stop: stopped
failed    the same, after a long delay or,      start: starting; stop: stopped
          with `never`, only when told to
finished  no process, as it has done its work   start: starting; stop: stopped
stopping  a process was told to end             end: stopped
========  ====================================  ===================================================

What follows an end that nobody asked for depends on `restart`:

============================  =========  ==========  ========
end                           always     on-failure  never
============================  =========  ==========  ========
exit code 0                   waiting    finished    finished
exit code 2 (configuration)   failed     failed      failed
any other, killed by signals  waiting    waiting     failed
============================  =========  ==========  ========

The delay grows with the number of short lives in a row, those under `stable_after`; after
`failing_after` of them it is `failed` in place of `waiting`. A life that reaches `stable_after`
wipes the slate clean; an exit code of 0 after it is followed by the next start at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymph.services.node._fleet.definitions import Restart

__all__ = ['Decision', 'Event', 'Policy', 'State', 'Supervision']

State = Literal['stopped', 'starting', 'running', 'waiting', 'failed', 'finished', 'stopping']
Event = Literal['start', 'ready', 'replace', 'stop']

#: What `lymph` says of a configuration that cannot be used, and many programs of wrong arguments.
_WRONG = 2
_MANY = 1000  # short lives that are counted, so that a power of two stays a number

_NEXT: dict[tuple[State, Event], State] = {
    ('stopped', 'start'): 'starting',
    ('waiting', 'start'): 'starting',
    ('failed', 'start'): 'starting',
    ('finished', 'start'): 'starting',
    ('starting', 'ready'): 'running',
    ('running', 'ready'): 'running',
    ('stopping', 'ready'): 'stopping',
    ('running', 'replace'): 'running',
    ('starting', 'replace'): 'running',
    ('starting', 'stop'): 'stopping',
    ('running', 'stop'): 'stopping',
    ('waiting', 'stop'): 'stopped',
    ('failed', 'stop'): 'stopped',
    ('finished', 'stop'): 'stopped',
    ('stopping', 'stop'): 'stopping',
    ('stopped', 'stop'): 'stopped',
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a node is; times in seconds, `failing_after` in lives.

    `failed_delay` is the time between two starts of what has failed. A process that does not
    report when it is ready counts as ready after `ready_after`; a rolling restart or a reload waits
    `ready_timeout` for a process that does.
    """

    stable_after: float = 10.0
    first_delay: float = 0.5
    longest_delay: float = 30.0
    failing_after: int = 5
    failed_delay: float = 60.0
    ready_after: float = 1.0
    ready_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows the end of a process.

    `delay` is in seconds, None if the process stays down; `alarm` is true once, when it begins to
    keep failing.
    """

    state: State
    delay: float | None = None
    alarm: bool = False


class Supervision:
    """The state of one process of a definition, and how its lives have ended."""

    def __init__(self, policy: Policy, restart: Restart = 'on-failure') -> None:
        self.state: State = 'stopped'
        self.restart = restart
        self._policy = policy
        self._short_lives = 0

    @property
    def failing(self) -> bool:
        """Whether the process keeps failing."""
        return self._short_lives >= self._policy.failing_after

    def happened(self, event: Event) -> None:
        """Note an event; raises ValueError if it cannot happen in this state."""
        following = _NEXT.get((self.state, event))
        if following is None:
            raise ValueError(f'{event} cannot happen while {self.state}')
        if event == 'replace':
            self._short_lives = 0
        self.state = following

    def forgive(self) -> None:
        """Forget the short lives, as an operator has done something about them."""
        self._short_lives = 0

    def ended(self, exit_code: int, lived: float) -> Decision:
        """Decide what follows after a process has ended with `exit_code`, `lived` seconds old.

        A negative code is the number of the signal that killed the process. Raises ValueError if
        no process can end in this state.
        """
        if self.state not in ('starting', 'running', 'stopping'):
            raise ValueError(f'no process can end while {self.state}')
        decision = self._decide(exit_code, lived)
        self.state = decision.state
        return decision

    def _decide(self, exit_code: int, lived: float) -> Decision:
        policy = self._policy
        stable = lived >= policy.stable_after
        # An end that was asked for is no failure. A long life still clears earlier ones: a process
        # that recovered long ago would fail the whole node otherwise (see `Slot.orderly`).
        if self.state == 'stopping':
            if stable:
                self._short_lives = 0
            return Decision('stopped')
        if exit_code == 0 and self.restart != 'always':
            self._short_lives = 0
            return Decision('finished')
        # The alarm is raised once, when the process begins to fail.
        before = self.failing
        if exit_code == _WRONG or self.restart == 'never':
            # Counts as failing often enough already: another quick start would end the same way.
            self._short_lives = max(self._short_lives, policy.failing_after)
        else:
            self._short_lives = 0 if stable else min(self._short_lives + 1, _MANY)
        if self.failing:
            delay = None if self.restart == 'never' else policy.failed_delay
            return Decision('failed', delay, alarm=not before)
        # Only with `always`: somebody let an instance drain (`kill PID`), so nothing is wrong.
        if stable and exit_code == 0:
            return Decision('waiting', 0.0)
        # The first short life, and a crash after a long one, wait for `first_delay` itself.
        doublings = max(self._short_lives - 1, 0)
        return Decision('waiting', min(policy.first_delay * 2.0**doublings, policy.longest_delay))
