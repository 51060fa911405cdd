"""What the operations port is told of its container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from lymph.core._monitoring.stacks import frames_of
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core._operations.probes import BlockedLoop
from lymph.core.failures import error_line
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.monitoring.metrics import Aggregate

__all__ = ['Connected', 'OperationsSources', 'block_of', 'connections_of']


class Connected(Protocol):
    """A registry or an event system."""

    def connection_state(self) -> ConnectionState | None:
        """Return the state of the connection to the server; None if there is no server."""


class OperationsSources(NamedTuple):
    """The parts of a container that the port reads; all but `metrics` in its native thread.

    `backends` are the registry and the broker by name. `spawn` starts a greenlet.
    """

    identity: str
    has_started: Callable[[], bool]
    draining: Callable[[], bool]
    backends: Mapping[str, Connected]
    watchdog: Watchdog
    metrics: Aggregate
    spawn: Callable[[Callable[[], None]], object]


def block_of(watchdog: Watchdog, threshold: float) -> BlockedLoop | None:
    """Return what has blocked the loop for `threshold` seconds or more; None if nothing has."""
    seconds = watchdog.silence()
    if seconds < threshold:
        return None
    frame = watchdog.frame()
    stack = list(frames_of(frame))
    if frame is None:
        return BlockedLoop(seconds, 'an unknown place', stack)
    code = frame.f_code
    at = f'{code.co_filename}:{frame.f_lineno} in {code.co_name}'
    # another one may run by now
    return BlockedLoop(seconds, at, stack) if watchdog.silence() >= threshold else None


def connections_of(backends: Mapping[str, Connected]) -> dict[str, ConnectionState | str | None]:
    """Return the state of each backend's connection; text for why it could not be told."""
    states: dict[str, ConnectionState | str | None] = {}
    for name, backend in backends.items():
        try:
            states[name] = backend.connection_state()
        except Exception as error:  # noqa: BLE001 - the edge of somebody else's code
            states[name] = error_line(error)
    return states
