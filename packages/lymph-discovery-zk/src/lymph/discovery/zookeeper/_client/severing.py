"""Making a kazoo client of the parent harmless in a forked child, without a word to the server.

The child has a copy of the greenlet that keeps the connection. It has to find its socket closed,
and must neither say goodbye, which would end the parent's session, nor connect again, which would
take it over. kazoo has no method for that: `sever` uses the client's own socket and its own sign
that it was stopped. Where these are not as expected, `prepare` notes the sockets that the client's
handler opens from then on, and the handler opens no more of them in a child.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from kazoo.client import KazooClient
from kazoo.protocol.connection import ConnectionHandler

from lymph.core._system.private_parts import as_expected, assigns
from lymph.core.failures import Killed

__all__ = ['prepare', 'sever']


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
    """Make `client` ready for `sever`; to be called once, before it connects."""
    if not _REACHABLE and not isinstance(client.handler.create_connection, _Connector):
        client.handler.create_connection = _Connector(client.handler.create_connection)


def sever(client: Any) -> None:
    """In a forked child: leave the connection of `client` to the parent."""
    if _REACHABLE:
        client._stopped.set()  # noqa: SLF001
        _end(client._connection._socket)  # noqa: SLF001
    else:
        client.handler.create_connection.sever()


class _Connector:
    """Stands in for `create_connection` of a kazoo handler, and knows the last socket."""

    def __init__(self, create_connection: Any) -> None:
        self._create_connection = create_connection
        self._socket: Any = None
        self._severed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._severed:
            raise Killed  # ends the greenlet that keeps the connection
        self._socket = self._create_connection(*args, **kwargs)
        return self._socket

    def sever(self) -> None:
        self._severed = True
        _end(self._socket)


def _end(connection: Any) -> None:
    """Make the descriptor of a connection that of one which the peer has closed."""
    if connection is not None and connection.fileno() >= 0:
        here, there = socket.socketpair()
        os.dup2(here.fileno(), connection.fileno(), inheritable=False)
        here.close()
        there.close()
