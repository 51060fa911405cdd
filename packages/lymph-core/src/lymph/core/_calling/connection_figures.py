"""Counts of the connections of a container, summed up over all of them.

There is no series for an endpoint: endpoints come from other processes, through the registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lymph.core.connections import Connection
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample

__all__ = ['ConnectionFigures']

describe('connections.open', 'gauge', 'Connections to other containers that are up.')
describe('connections.connecting', 'gauge', 'Connections that are not up yet.')
describe('connections.pending', 'gauge', 'Requests that wait for a reply.')
describe('connections.opened', 'counter', 'Connections that came up.')
describe('connections.failed', 'counter', 'Attempts to connect that failed.')
describe('connections.lost', 'counter', 'Connections that broke after they were up.')

_COUNTS: Final = {
    'requests': 'Requests that were sent, pings of doubtful peers among them.',
    'replies': 'Replies that arrived in time.',
    'timeouts': 'Requests without a reply by their deadline.',
    'given_up': 'Requests that nobody waited for any more.',
    'strays': 'Messages that arrived and answered no request: late or malformed.',
}
for _name, _help in _COUNTS.items():
    describe(f'connections.{_name}', 'counter', _help)


class ConnectionFigures:
    """Adds up the counts of connections, of those that are down too."""

    def __init__(self) -> None:
        self._opened = self._failed = self._lost = 0
        self._live: dict[Connection, bool] = {}  # -> whether it has been up
        self._past = dict.fromkeys(_COUNTS, 0)  # sums over connections that are down

    def began(self, connection: Connection) -> None:
        """Add a connection that has begun to connect."""
        self._live[connection] = False

    def came_up(self, connection: Connection) -> None:
        """Count that a connection is up."""
        self._live[connection] = True
        self._opened += 1

    def went_down(self, connection: Connection) -> None:
        """Remove a connection that is down; its counts are kept."""
        was_up = self._live.pop(connection, False)
        if not connection.closing:
            self._lost += was_up
            self._failed += not was_up
        for name, count in connection.counts().items():
            self._past[name] += count

    def clear(self) -> None:
        """In a forked child, forget the connections: they are the parent's."""
        self._live.clear()

    def __iter__(self) -> Iterator[Sample]:
        live = list(self._live)
        sums = dict(self._past)
        for connection in live:
            for name, count in connection.counts().items():
                sums[name] += count
        up = sum(connection.state == 'up' for connection in live)
        yield 'connections.open', up, {}
        connecting = sum(connection.state == 'connecting' for connection in live)
        yield 'connections.connecting', connecting, {}
        yield 'connections.pending', sum(len(connection.pending) for connection in live), {}
        yield 'connections.opened', self._opened, {}
        yield 'connections.failed', self._failed, {}
        yield 'connections.lost', self._lost, {}
        for name, count in sums.items():
            yield f'connections.{name}', count, {}
