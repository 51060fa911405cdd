"""The state of a backend's connection to its server, for health checks and metrics."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['ConnectionState']


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
