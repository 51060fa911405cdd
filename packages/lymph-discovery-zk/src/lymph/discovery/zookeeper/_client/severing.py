"""The socket of a kazoo client: whose address it has, and how a forked child gives it up.

The child has a copy of the greenlet that serves the connection. That copy must find its socket
closed. It must not send a close request, which would end the parent's session, nor reconnect, which
would take that session over. kazoo has no method for this and does not show its socket, so `sever`
and `peer_of` use the client's private socket and stop event. If a version of kazoo does not have
them, `prepare` wraps the function with which the client's handler opens sockets: it remembers the
last one, and opens none in a child.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from kazoo.client import KazooClient
from kazoo.protocol.connection import ConnectionHandler

from lymph.core._system.private_parts import as_expected, assigns
from lymph.core.addresses import join_address
from lymph.core.failures import Killed

__all__ = ['peer_of', 'prepare', 'sever']


def _is_expected() -> bool:
    attempt = ConnectionHandler._connect_attempt  # noqa: SLF001
    loop = ConnectionHandler._connect_loop  # noqa: SLF001
    return (
        assigns(attempt, '_socket', 'close')
        and assigns(loop, '_stopped', 'is_set')
        and assigns(KazooClient.__init__, '_connection', '_stopped')
    )


_REACHABLE = as_expected('kazoo', 'KazooClient._stopped, ConnectionHandler._socket', _is_expected)


def prepare(client: Any) -> None:
    """Prepare `client` for `sever`. Call this once, before the client connects."""
    if not _REACHABLE and not isinstance(client.handler.create_connection, _Connector):
        client.handler.create_connection = _Connector(client.handler.create_connection)


def sever(client: Any) -> None:
    """Disable `client` in a forked child; the parent's connection and session are unaffected."""
    if _REACHABLE:
        client._stopped.set()  # noqa: SLF001
        _end(client._connection._socket)  # noqa: SLF001
    else:
        client.handler.create_connection.sever()


def peer_of(client: Any) -> str | None:
    """Return the address of the server that `client` is connected to; None if it cannot be told."""
    if _REACHABLE:
        connection = client._connection._socket  # noqa: SLF001
    else:
        connection = client.handler.create_connection.connection
    try:
        host, port = connection.getpeername()[:2]
    except (AttributeError, OSError, TypeError, ValueError):  # there is none, or no more
        return None
    return join_address(host, port)


class _Connector:
    """Replaces `create_connection` of a kazoo handler and remembers the last socket."""

    def __init__(self, create_connection: Any) -> None:
        self._create_connection = create_connection
        self.connection: Any = None
        self._severed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._severed:
            raise Killed  # ends the greenlet that serves the connection
        self.connection = self._create_connection(*args, **kwargs)
        return self.connection

    def sever(self) -> None:
        self._severed = True
        _end(self.connection)


def _end(connection: Any) -> None:
    """Replace the descriptor of a connection by one whose peer has closed it."""
    if connection is not None and connection.fileno() >= 0:
        here, there = socket.socketpair()
        os.dup2(here.fileno(), connection.fileno(), inheritable=False)
        here.close()
        there.close()
