"""Keeps one process of a node running."""

from __future__ import annotations

import functools
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.event import Event

from lymph.services.node.definitions import Definition
from lymph.services.node.guard import Guard
from lymph.services.node.output import Output
from lymph.services.node.process import Launch, Process
from lymph.services.node.supervision import Decision, Policy, Supervision

__all__ = ['Keeper', 'Surroundings', 'describe_exit']

#: What a shell says of a command that cannot be run.
_CANNOT_RUN = 126
#: How a process that was told to stop may end: also by the signal, whether it dies of it or, as a
#: `lymph` that has just been started, says so.
_ORDERLY = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


@dataclass(frozen=True)
class Surroundings:
    """What all processes of a node share; `patience` is in seconds."""

    environ: Mapping[str, str]
    guard: Guard
    output: Output
    policy: Policy
    patience: float


class Keeper:
    """Runs a command again and again, as its supervision decides, until it is told to stop."""

    def __init__(self, name: str, definition: Definition, around: Surroundings) -> None:
        self.name = name
        self._definition = definition
        self._around = around
        self._supervision = Supervision(around.policy, definition.restart)
        self._stopping = Event()
        self._process: Process | None = None
        self._orderly = True

    @property
    def orderly(self) -> bool:
        """Whether the process did not keep failing, and stopped by itself with nothing cut."""
        return self._orderly and not self._supervision.failing

    def run(self) -> None:
        """Run the command until it has finished or `stop` is called."""
        while not self._stopping.is_set():
            self._supervision.happened('start')
            exit_code, lived = self._live()
            if self._stopping.is_set():
                self._orderly = self._orderly and exit_code in _ORDERLY
                return
            decision = self._supervision.ended(exit_code, lived)
            self._report(exit_code, lived, decision)
            if decision.delay is None:
                return
            self._stopping.wait(decision.delay)

    def stop(self) -> None:
        """Make `run` end the process and return."""
        self._stopping.set()

    def kill(self) -> None:
        """Kill the process at once and make `run` return."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()

    def _live(self) -> tuple[int, float]:
        """Run the command once; returns its exit code and how long it lived."""
        around, definition = self._around, self._definition
        patience = definition.stop_timeout
        launch = Launch(
            definition.command,
            {**around.environ, **definition.env},
            around.patience if patience is None else patience,
            definition.cwd,
        )
        try:
            process = Process(
                launch, around.guard, functools.partial(around.output.show, self.name)
            )
        except OSError as error:
            around.output.say(f'{self.name}: {definition.command[0]}: {error.strerror}')
            return _CANNOT_RUN, 0.0
        self._process = process
        around.output.say(f'{self.name}: started, pid {process.pid}')
        reasons: list[Any] = [process.end, self._stopping]
        gevent.wait(reasons, count=1)
        self._orderly = process.close()
        self._process = None
        return process.end.get()

    def _report(self, exit_code: int, lived: float, decision: Decision) -> None:
        how = describe_exit(exit_code)
        if decision.state == 'finished':
            self._around.output.say(f'{self.name}: finished')
            return
        follows = (
            'not started again' if decision.delay is None else f'next start in {decision.delay:g} s'
        )
        self._around.output.say(f'{self.name}: {how} after {lived:.1f} s, {follows}')
        if decision.alarm:
            self._around.output.say(
                f'{self.name} has failed: {self._reason(exit_code)}; its last lines may say why'
            )

    def _reason(self, exit_code: int) -> str:
        policy = self._around.policy
        if self._definition.restart == 'never':
            return 'it ended, and restart is never'
        if exit_code == 2:
            return 'exit code 2 stands for a configuration that cannot be used'
        return (
            f'it keeps failing, {policy.failing_after} times in a row it lived less than '
            f'{policy.stable_after:g} s'
        )


def describe_exit(exit_code: int) -> str:
    """Return how a process ended, as half a sentence; a negative code is a signal."""
    if exit_code >= 0:
        return f'ended with exit code {exit_code}'
    try:
        return f'killed by {signal.Signals(-exit_code).name}'
    except ValueError:  # real-time signals have no names
        return f'killed by signal {-exit_code}'
