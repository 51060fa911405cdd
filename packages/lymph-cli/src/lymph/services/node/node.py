"""The node: a keeper for each process, started, signalled and stopped together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gevent
from gevent.event import Event

from lymph.cli.running.stopping import stops_heard
from lymph.services.node.definitions import Definition
from lymph.services.node.guard import Guard
from lymph.services.node.keeper import Keeper, Surroundings
from lymph.services.node.output import Output
from lymph.services.node.supervision import Policy

__all__ = ['Node']


class Node:
    """Runs what is defined, until it is told to stop or everything has finished.

    Arguments: `patience`, the seconds that processes get to end by themselves; `environ`, the
    environment they run in; `color` of the names before their lines.
    """

    def __init__(
        self,
        definitions: Iterable[Definition],
        *,
        environ: Mapping[str, str],
        patience: float = 10.0,
        policy: Policy | None = None,
        color: bool = False,
    ) -> None:
        named = {name: each for each in definitions for name in each.processes()}
        self._output = Output(named, color=color)
        self._guard = Guard()
        around = Surroundings(environ, self._guard, self._output, policy or Policy(), patience)
        self._keepers = [Keeper(name, definition, around) for name, definition in named.items()]
        self._stopping = Event()

    def run(self) -> bool:
        """Run everything; returns whether all ended well.

        That is so if no process kept failing, none had to be killed, and each told to stop did so
        with exit code 0 or by the signal that told it.
        """
        with stops_heard(lambda _number: self.stop()):
            self._guard.start()
            greenlets = [gevent.spawn(keeper.run) for keeper in self._keepers]
            try:
                self._wait(greenlets)
            finally:
                for keeper in self._keepers:
                    keeper.stop()
                gevent.joinall(greenlets)
                self._guard.stop()
                self._output.say('nothing runs any more')
                self._output.finish()
        return all(keeper.orderly for keeper in self._keepers)

    def stop(self) -> None:
        """End all processes; called again, kill them."""
        if self._stopping.is_set():
            self._output.say('killing what still runs')
            for keeper in self._keepers:
                keeper.kill()
            return
        self._stopping.set()
        self._output.say('stopping; a second signal kills')
        for keeper in self._keepers:
            keeper.stop()

    def _wait(self, greenlets: Sequence[gevent.Greenlet[[], None]]) -> None:
        """Wait until all have finished, or something says stop."""
        finished = gevent.spawn(gevent.joinall, greenlets)
        reasons: list[Any] = [finished, self._stopping, self._output.closed]
        gevent.wait(reasons, count=1)
        if not finished.ready() and not self._stopping.is_set():
            self.stop()  # nobody reads what is printed
        finished.join()
