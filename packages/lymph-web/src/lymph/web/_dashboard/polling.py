"""Asks all instances how they are, once for all pages, and only while somebody looks.

========  ======================================================  ==================================
state     meaning                                                 left when
========  ======================================================  ==================================
idle      nobody has looked for half a minute                     somebody looks → polling
polling   every two seconds all instances are asked, and all      nobody looks any more → lingering
          pages get the answer
lingering the same, without a page that gets it: one that is      somebody looks → polling;
          loaded again goes on where it was                       half a minute is over → idle
========  ======================================================  ==================================
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import gevent
from gevent.event import Event as Flag

from lymph.core.monitoring.overview import Overview, PolledContainer, Snapshot
from lymph.web._dashboard.frames import named_frame
from lymph.web._dashboard.history import History
from lymph.web._dashboard.summaries import figures, snapshot_facts

__all__ = ['INTERVAL', 'WINDOW', 'Polling', 'Viewer']

#: seconds between two polls, and seconds that are kept
INTERVAL: Final = 2.0
WINDOW: Final = 900.0

_LINGER: Final = 30.0  # seconds
_SHORTEST: Final = 0.5  # seconds between two polls, if asking takes long
_SERIES: Final = 3000


class Viewer(Protocol):
    """A page that somebody looks at."""

    def put(self, frame: bytes) -> None:
        """Take an event; never waits."""

    def end(self) -> None:
        """Expect no more of them; the page comes back if it wants to."""


class Polling:
    """Polls through `container` while there are viewers; `spawn(func)` starts a greenlet."""

    def __init__(
        self, container: PolledContainer, spawn: Callable[[Callable[[], None]], Any]
    ) -> None:
        self._container = container
        self._spawn = spawn
        self._history = History(round(WINDOW / INTERVAL), _SERIES)
        self._viewers: dict[Viewer, None] = {}
        self._snapshot: Snapshot | None = None
        self._frame = b''
        self._polled = Flag()
        self._running: Any = None
        self._wanted = 0.0  # `time.monotonic` until which it goes on without viewers

    def join(self, viewer: Viewer) -> None:
        """Put what was and what is into `viewer`, and each new snapshot until it leaves."""
        viewer.put(named_frame('history', self._history.facts()))
        if self._running is not None and self._frame:
            viewer.put(self._frame)
        self._viewers[viewer] = None
        self._go_on()

    def leave(self, viewer: Viewer) -> None:
        """Put nothing more into `viewer`."""
        self._viewers.pop(viewer, None)

    def current(self, timeout: float = 5.0) -> Snapshot | None:
        """Return the last snapshot; waits for the first one, at most `timeout` seconds."""
        self._go_on()
        self._polled.wait(timeout)
        return self._snapshot if self._polled.is_set() else None

    def end(self) -> None:
        """End the streams of all viewers."""
        for viewer in tuple(self._viewers):
            viewer.end()

    def _go_on(self) -> None:
        self._wanted = time.monotonic() + _LINGER
        if self._running is None:
            self._running = self._spawn(self._run)

    def _run(self) -> None:
        try:
            with Overview(self._container) as overview:
                while self._viewers or time.monotonic() < self._wanted:
                    began = time.monotonic()
                    self._take(overview.poll())
                    gevent.sleep(max(_SHORTEST, INTERVAL - (time.monotonic() - began)))
        finally:
            self._running = None
            self._polled.clear()
            self.end()  # if it has failed, the pages come back, and it begins again

    def _take(self, snapshot: Snapshot) -> None:
        frame = named_frame('snapshot', snapshot_facts(snapshot))
        self._history.add(snapshot.at, figures(snapshot))
        self._snapshot, self._frame = snapshot, frame
        self._polled.set()
        for viewer in tuple(self._viewers):
            self._wanted = time.monotonic() + _LINGER
            viewer.put(frame)
