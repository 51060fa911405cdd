"""The registry and the broker, as this process and as the instances see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lymph.core._overview.answers import Heard
from lymph.core._overview.data import BackendState
from lymph.core.monitoring.connection_states import ConnectionState

__all__ = ['backend_state', 'connection_of']


class ConnectedBackend(Protocol):
    """A registry or an event system."""

    def connection_state(self) -> ConnectionState | None:
        """Return the state of the connection, None if there is no server."""


def connection_of(backend: ConnectedBackend) -> ConnectionState | None:
    """Return the state of the connection of a backend; None also if its code fails."""
    try:
        return backend.connection_state()
    except Exception:  # noqa: BLE001 - it may be somebody else's code; instances log such errors
        return None


def backend_state(
    kind: str,
    description: str,
    state: ConnectionState | None,
    problem: str,
    heard: Iterable[Heard],
) -> BackendState:
    """Return the state of the ``registry`` or the ``broker``.

    `state` is that of this process, None if there is no server, or if it could not be started;
    `problem` says why the last request to it has failed.
    """
    away = sum(
        each.last is not None
        and each.since is None
        and each.last.figures.number(f'{kind}.connected') == 0
        for each in heard
    )
    if state is None:
        return BackendState(
            description, connected=False if problem else None, reason=problem, away=away
        )
    return BackendState(
        description,
        state.connected,
        state.since,
        state.server,
        state.reason,
        state.reconnects,
        away,
    )
