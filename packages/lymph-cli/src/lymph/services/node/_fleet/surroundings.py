"""What all processes of a node share, and how one of them is started."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.guard import Guard
from lymph.services.node._fleet.output import Output
from lymph.services.node._fleet.process import Launch, Process
from lymph.services.node._fleet.readiness import OPERATIONS_VARIABLE
from lymph.services.node._fleet.sockets import Sockets
from lymph.services.node._fleet.supervision import Policy

__all__ = ['FleetSurroundings']


@dataclass(frozen=True)
class FleetSurroundings:
    """What all processes of a node share; `patience` is in seconds.

    `settled` is called when a slot has come to rest by itself: it has finished, or has failed for
    good.
    """

    environ: Mapping[str, str]
    guard: Guard
    output: Output
    policy: Policy
    patience: float
    settled: Callable[[], None]
    sockets: Sockets

    def patience_of(self, definition: Definition) -> float:
        """Return how many seconds a process of a definition gets to end by itself."""
        given = definition.stop_timeout
        return self.patience if given is None else given

    def start(self, name: str, definition: Definition) -> Process:
        """Start a process of a definition under a name; raises OSError."""
        process = Process(
            Launch(
                definition.command,
                # before the others, which may set it themselves
                {OPERATIONS_VARIABLE: '0', **self.environ, **definition.env},
                self.patience_of(definition),
                definition.cwd,
                serves=definition.serves,
                ready_after=self.policy.ready_after,
                handed=self.sockets.of(definition.name),
            ),
            self.guard,
            functools.partial(self.output.show, name),
        )
        self.output.say(f'{name}: started, pid {process.pid}')
        return process
