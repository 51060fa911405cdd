"""The connections of a container, one for each endpoint, and which endpoints to avoid.

Calls use links that are up. When a call avoids endpoints that have no link, it starts to connect to
one of them in the background; after a failure, an endpoint is tried again only after a pause
(`_protocol.reachability`). So endpoints that nobody calls are never dialled.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import gevent

from lymph.core._calling.connection_figures import ConnectionFigures
from lymph.core._loop.deadlines import Expirations
from lymph.core._protocol.reachability import Reachability
from lymph.core._system.refusals import Availability, was_stopped
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT, Connection
from lymph.core.reasons import DRAINING, STARTING
from lymph.core.transport.base import Transport
from lymph.exceptions import NotConnected, Refused, RpcError

__all__ = ['Dialer']

_START = 1.0  # seconds for which an instance that is starting is avoided
_FORGET = 60.0  # seconds after which a failure is forgotten if the endpoint was not tried again

_chance = random.random


class Dialer:
    """Makes connections on demand and forgets them when they go down.

    `lost(endpoint)` is called in the hub when a connection goes down that this side did not close.
    A connection is closed after `idle_timeout` seconds without a request (up to twice that, since
    connections are checked once in `idle_timeout`). A connection that is not up after
    `connect_timeout` seconds has failed.
    """

    def __init__(
        self,
        transport: Transport,
        lost: Callable[[str], None],
        idle_timeout: float,
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        self._transport = transport
        self._lost = lost
        self._connect_timeout = connect_timeout
        self._connections: dict[str, Connection] = {}
        self._ways: dict[str, Reachability] = {}  # of endpoints with a connection or a failure
        self._expirations = Expirations()
        self._availability = Availability('container', running=True)
        self._idle_timeout = idle_timeout
        self._requests_seen: dict[Connection, int] = {}  # `Connection.requests` at the last sweep
        self._sweeper = gevent.get_hub().loop.timer(idle_timeout, idle_timeout, ref=False)
        #: endpoints for which `usable` returned False since the last `approach`
        self.passed_over: list[str] = []
        self.times_passed_over = 0
        #: counts of all connections, as metrics
        self.figures = ConnectionFigures()

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All connections."""
        return tuple(self._connections.values())

    def connect(self, endpoint: str) -> Connection:
        """Return the connection to `endpoint`; make one if there is none. Does not wait.

        Raises NotConnected for an endpoint that this transport cannot reach, and after `close`.
        """
        connection = self._connections.get(endpoint)
        if connection is not None:
            if not connection.closing:
                return connection
            del self._connections[endpoint]  # it is about to go down
            self.way(endpoint).closed()
        self._availability.check(functools.partial(NotConnected, endpoint=endpoint), endpoint)
        try:
            connection = Connection(
                endpoint,
                self._transport,
                self._expirations,
                self._up,
                self._down,
                self._connect_timeout,
            )
        except ValueError as error:
            raise NotConnected(str(error), endpoint=endpoint) from error
        if not self._connections:
            self._sweeper.start(self._sweep)
        self._connections[endpoint] = connection
        self.figures.began(connection)
        self.way(endpoint).dial()
        return connection

    def find(self, endpoint: str) -> Connection | None:
        """Return the connection to `endpoint`, or None."""
        return self._connections.get(endpoint)

    def ready(self, endpoint: str) -> Connection | None:
        """Return the connection to `endpoint` if it is ready (see `Connection.ready`), or None."""
        connection = self._connections.get(endpoint)
        return connection if connection is not None and connection.ready else None

    def load(self, endpoint: str) -> int:
        """Return the number of calls in flight to `endpoint` or waiting for its connection."""
        connection = self._connections.get(endpoint)
        return 0 if connection is None else len(connection.pending) + connection.waiting

    def usable(self, endpoint: str) -> bool:
        """Tell whether calls can be sent to `endpoint` now; if not, note it for `approach`."""
        connection = self._connections.get(endpoint)
        if connection is not None and connection.ready:
            return True
        self.passed_over.append(endpoint)
        self.times_passed_over += 1
        return False

    def approach(self) -> None:
        """Begin to connect to one of `passed_over` that is due for a try. Does not wait."""
        passed_over, self.passed_over = self.passed_over, []
        now = time.monotonic()
        for endpoint in passed_over:
            if endpoint not in self._connections and self.may_dial(endpoint, now):
                self.try_to_connect(endpoint)
                return

    def may_dial(self, endpoint: str, now: float) -> bool:
        """Tell whether `endpoint` may be dialled at the time `now`; see `Reachability.may_dial`."""
        way = self._ways.get(endpoint)
        return way is None or way.may_dial(now)

    def way(self, endpoint: str) -> Reachability:
        """Return the reachability of `endpoint`; make an entry if there is none."""
        way = self._ways.get(endpoint)
        if way is None:
            way = self._ways[endpoint] = Reachability()
        return way

    def try_to_connect(self, endpoint: str) -> str | None:
        """Begin to connect to `endpoint`; return the reason if that is impossible. Never waits."""
        try:
            self.connect(endpoint)
        except NotConnected as error:
            self.way(endpoint).failed(time.monotonic(), str(error), _chance)
            return str(error)
        return None

    def failed(self, endpoint: str, error: RpcError) -> None:
        """Handle the error of a call to `endpoint`: avoid an instance that refuses all calls.

        An instance that is stopping is avoided from now on, even if the registry does not report
        yet that it is leaving. An instance that is starting is avoided for a second.
        """
        connection = self._connections.get(endpoint)
        if connection is None or not isinstance(error, Refused):
            return
        if error.reason == DRAINING:
            connection.leave()
        elif error.reason == STARTING:
            connection.rest(_START)

    def release(self, endpoint: str) -> None:
        """Close the connection to an endpoint that has left the registry, if no call is in flight.

        Otherwise the connection stays open until it is idle.
        """
        connection = self._connections.get(endpoint)
        if connection is None or not connection.pending:
            self._ways.pop(endpoint, None)
        if connection is not None and not connection.pending:
            connection.close('gone from the registry')

    def stats(self) -> list[dict[str, Any]]:
        """Return `Connection.stats` of all connections."""
        return [connection.stats() for connection in self._connections.values()]

    def unreachable(self) -> list[dict[str, Any]]:
        """Return the endpoints that cannot be connected to, each with reason and failure count."""
        return [
            {'endpoint': endpoint, 'reason': way.reason, 'failures': way.failures}
            for endpoint, way in self._ways.items()
            if way.failures and way.state != 'up'
        ]

    def close(self) -> None:
        """Close all connections; calls in flight end with ConnectionLost."""
        self._availability.close()
        self._sweeper.stop()
        if not self._connections:
            self._expirations.close()
        for connection in list(self._connections.values()):
            connection.close(was_stopped('container'))
        self._ways.clear()

    def abandon(self) -> None:
        """In a forked child, forget all connections without closing them; make no new ones.

        In the child, calls that were in flight at the fork never end, and neither do the greenlets
        that wait for them.
        """
        self._availability.abandon()
        self._sweeper.stop()
        self._expirations.close()
        self._connections.clear()
        self._ways.clear()
        self.figures.clear()

    def _up(self, connection: Connection) -> None:
        self.figures.came_up(connection)
        self.way(connection.endpoint).came_up(time.monotonic())

    def _down(self, connection: Connection, reason: str) -> None:
        endpoint = connection.endpoint
        self.figures.went_down(connection)
        if self._connections.get(endpoint) is connection:
            del self._connections[endpoint]
            self._note_end(endpoint, reason, connection.closing)
        self._requests_seen.pop(connection, None)
        if not self._connections:
            self._sweeper.stop()
            if not self._availability.running:
                self._expirations.close()
        if not connection.closing:
            self._lost(endpoint)

    def _note_end(self, endpoint: str, reason: str, closing: bool) -> None:
        """Update what is known of an endpoint whose connection is down; forget old failures."""
        if not self._availability.running:
            return
        now = time.monotonic()
        way = self.way(endpoint)
        if closing:
            way.closed()
            if way.state == 'idle':
                del self._ways[endpoint]
            return
        way.failed(now, reason, _chance)
        for other, known in list(self._ways.items()):
            if known.state == 'failed' and now - known.ended > _FORGET:
                del self._ways[other]

    def _sweep(self) -> None:
        """Close the connections that have sent nothing since the last sweep and await no reply."""
        for connection in list(self._connections.values()):
            if connection.pending or self._requests_seen.get(connection) != connection.requests:
                self._requests_seen[connection] = connection.requests
            else:
                connection.close(f'idle for {self._idle_timeout:g} s')
