"""The state of a backend's connection to its server, for health checks and metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

__all__ = ['ConnectionState', 'ConnectionTracker']


class ConnectionState(NamedTuple):
    """Whether a backend reaches its server.

    `since` is the Unix time of the last change. `reconnects` counts the connections after the first
    one. `server` is the address in use, or the last one, without credentials. `reason` says why
    there is no connection; it is empty while there is one.
    """

    connected: bool
    since: float
    reconnects: int = 0
    server: str = ''
    reason: str = ''


class ConnectionTracker:
    """Keeps the `state` of a backend that needs one connection, or several ones.

    Each connection has a name, its `part`; the backend is connected while all of its parts are, and
    was connected again when the last missing part is. A tracker is changed by one native thread.
    Others may read `state` at any time: each change replaces it. `clock` returns the Unix time.
    """

    def __init__(self, server: str = '', clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reasons: dict[str, str] = {}  # of all parts; empty: connected
        self._connections = 0
        #: the state now
        self.state = ConnectionState(False, clock(), server=server, reason='not connected yet')

    def up(self, server: str, part: str = '') -> None:
        """Note that a part is connected to `server`."""
        self._reasons[part] = ''
        self._change(server)

    def down(self, reason: str, part: str = '') -> None:
        """Note that a part is not connected, or why it is still not."""
        self._reasons[part] = reason or 'not connected'
        self._change(self.state.server)

    def forget(self, part: str = '') -> None:
        """Note that a part is not needed any more; without parts there is no connection."""
        self._reasons.pop(part, None)
        self._change(self.state.server)

    def _change(self, server: str) -> None:
        state = self.state
        reasons = [
            f'{part}: {reason}' if part else reason
            for part, reason in self._reasons.items()
            if reason
        ]
        connected = bool(self._reasons) and not reasons
        since = state.since
        if connected != state.connected:
            since = self._clock()
            self._connections += connected
        reason = '' if connected else '; '.join(reasons) or 'not connected'
        reconnects = max(self._connections - 1, 0)
        self.state = ConnectionState(connected, since, reconnects, server, reason)
