"""The connections of a container, one for each endpoint, and which endpoints to pass over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from lymph.core.connections import Connection
from lymph.core.deadlines import Expirations
from lymph.core.transport.base import Transport
from lymph.exceptions import NotConnected, Refused, RpcError

__all__ = ['Dialer']

_STOPPED = 'this container is stopped'
_AVOID = 1.0  # seconds for which an endpoint that failed is passed over while others serve


class Dialer:
    """Makes connections on demand and forgets them when they go down.

    `lost(endpoint)` is called in the hub when a connection went down that this side did not
    close. One that nothing was sent on for `idle_timeout` seconds, up to twice that, is closed.
    """

    def __init__(
        self, transport: Transport, lost: Callable[[str], None], idle_timeout: float
    ) -> None:
        self._transport = transport
        self._lost = lost
        self._connections: dict[str, Connection] = {}
        self._avoided: dict[str, float] = {}  # endpoint -> until when (monotonic seconds)
        self._expirations = Expirations()
        self._refusal = ''  # why no connection is made any more
        self._idle_timeout = idle_timeout
        self._requests_seen: dict[Connection, int] = {}  # at the last sweep
        self._sweeper = gevent.get_hub().loop.timer(idle_timeout, idle_timeout, ref=False)

    def connect(self, endpoint: str) -> Connection:
        """Return the connection to `endpoint`, made now if there is none. Does not wait.

        Raises NotConnected for an endpoint this transport cannot reach.
        """
        connection = self._connections.get(endpoint)
        if connection is not None:
            return connection
        if self._refusal:
            raise NotConnected(f'{endpoint}: {self._refusal}')
        try:
            connection = Connection(
                endpoint, self._transport, self._expirations, self._up, self._down
            )
        except ValueError as error:
            raise NotConnected(str(error)) from error
        if not self._connections:
            self._sweeper.start(self._sweep)
        self._connections[endpoint] = connection
        return connection

    def load(self, endpoint: str) -> int:
        """Return the number of calls in flight to `endpoint`."""
        connection = self._connections.get(endpoint)
        return 0 if connection is None else len(connection.pending)

    def usable(self, endpoint: str) -> bool:
        """Tell whether nothing speaks against calling `endpoint` now."""
        connection = self._connections.get(endpoint)
        if connection is not None and (connection.silent or connection.leaving):
            return False
        if not self._avoided:
            return True
        until = self._avoided.get(endpoint)
        if until is None:
            return True
        if until > time.monotonic():
            return False
        del self._avoided[endpoint]
        return True

    def failed(self, endpoint: str, error: RpcError) -> None:
        """Hear how a call to `endpoint` ended: who is stopping is passed over from now on.

        The registry says so too, to those that it reaches.
        """
        connection = self._connections.get(endpoint)
        if connection is not None and isinstance(error, Refused) and error.reason == 'draining':
            connection.leaving = True

    def avoid(self, endpoint: str) -> None:
        """Pass `endpoint` over for a moment while others serve."""
        now = time.monotonic()
        self._avoided = {e: until for e, until in self._avoided.items() if until > now}
        self._avoided[endpoint] = now + _AVOID

    def release(self, endpoint: str) -> None:
        """Close the connection to an endpoint that nobody will call again, once it is quiet."""
        connection = self._connections.get(endpoint)
        if connection is not None and not connection.pending:
            connection.close('gone from the registry')

    def stats(self) -> list[dict[str, Any]]:
        """Return `Connection.stats` of all connections."""
        return [connection.stats() for connection in self._connections.values()]

    def close(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._refusal = _STOPPED
        self._sweeper.stop()
        if not self._connections:
            self._expirations.close()
        for connection in list(self._connections.values()):
            connection.close(_STOPPED)

    def abandon(self, reason: str) -> None:
        """Forget all connections as they are, in a forked child, and refuse because of `reason`.

        Copies of the parent's calls that are in flight never end, nor do those who wait for them.
        """
        self._refusal = reason
        self._sweeper.stop()
        self._expirations.close()
        self._connections.clear()

    def _up(self, connection: Connection) -> None:
        self._avoided.pop(connection.endpoint, None)

    def _down(self, connection: Connection, reason: str) -> None:
        if self._connections.get(connection.endpoint) is connection:
            del self._connections[connection.endpoint]
        self._requests_seen.pop(connection, None)
        if not self._connections:
            self._sweeper.stop()
            if self._refusal:
                self._expirations.close()
        if not connection.closing:
            self.avoid(connection.endpoint)
            self._lost(connection.endpoint)

    def _sweep(self) -> None:
        """Close the connections that were idle since the last sweep."""
        for connection in list(self._connections.values()):
            if connection.pending or self._requests_seen.get(connection) != connection.requests:
                self._requests_seen[connection] = connection.requests
            else:
                connection.close(f'idle for {self._idle_timeout:g} s')
