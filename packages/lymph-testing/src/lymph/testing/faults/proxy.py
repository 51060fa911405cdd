"""A TCP proxy that fails on demand: place it between a client and a server to break the network.

===============  ===============================================================================
`refuse()`       nobody listens: new connections are refused, established ones continue
`cut()`          all connections are reset, as by a router that lost its state
`blackhole(d)`   connections can be made and stay open, but nothing arrives in direction `d`
`slow(rate, d)`  `rate` bytes a second arrive in direction `d`, on each connection
`heal()`         all faults end; bytes that a black hole held back arrive
===============  ===============================================================================

Directions are ``to_server``, ``to_client`` and ``both``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pool import Group
from gevent.server import StreamServer

from lymph.testing._servers.blocks import StartedInBlock

__all__ = ['Direction', 'FaultProxy']

Direction = Literal['to_server', 'to_client', 'both']

_CHUNK = 65536
_RESET = struct.pack('ii', 1, 0)  # SO_LINGER of 0 seconds: closing sends RST


class FaultProxy(StartedInBlock):
    """Forwards connections from a port of 127.0.0.1 to `host`:`port`, with faults on demand.

    A context manager that starts and closes it. It runs in greenlets of this process. `on_connect`
    is called for each connection made through it; `accepted` is their number so far.
    """

    def __init__(
        self, host: str, port: int, on_connect: Callable[[], object] | None = None
    ) -> None:
        self.target = (host, port)
        self.port = 0
        self.accepted = 0
        self._on_connect = on_connect
        self._server: StreamServer | None = None
        self._pumps = Group()
        self._links: set[_Link] = set()
        self._lanes = {'to_server': _Lane(), 'to_client': _Lane()}

    @property
    def address(self) -> str:
        """The address that it listens at, as host:port; it never changes."""
        return f'127.0.0.1:{self.port}'

    @property
    def connections(self) -> int:
        """The number of established connections."""
        return len(self._links)

    def start(self) -> None:
        """Listen; a restart uses the same port again."""
        if self._server is None:
            self._server = StreamServer(('127.0.0.1', self.port), self._accept)
            self._server.start()
            self.port = self._server.server_port or 0

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self.refuse()
        self.cut()
        self._pumps.kill()

    def refuse(self) -> None:
        """Refuse new connections until `heal`; established ones continue."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def cut(self) -> None:
        """Reset all established connections; new ones can be made."""
        for link in tuple(self._links):
            link.reset()

    def blackhole(self, direction: Direction = 'both') -> None:
        """Hold back all bytes in a direction until `heal`, on old and new connections."""
        for lane in self._chosen(direction):
            lane.open.clear()

    def slow(self, rate: float, direction: Direction = 'both') -> None:
        """Limit each connection to `rate` bytes a second in a direction until `heal`.

        Raises ValueError unless `rate` is above 0.
        """
        if rate <= 0:
            raise ValueError(f'expected more than 0 bytes a second, found {rate}; use blackhole')
        for lane in self._chosen(direction):
            lane.rate = rate

    def heal(self) -> None:
        """End all faults."""
        for lane in self._lanes.values():
            lane.rate = None
            lane.open.set()
        self.start()

    def _chosen(self, direction: Direction) -> list[_Lane]:
        return [lane for name, lane in self._lanes.items() if direction in (name, 'both')]

    def _accept(self, client: Any, address: object) -> None:
        link = _Link(client)
        try:
            link.server = socket.create_connection(self.target)
        except OSError:
            link.reset()
            return
        self.accepted += 1
        self._links.add(link)
        if self._on_connect is not None:
            self._on_connect()
        link.pumps = [
            self._pumps.spawn(self._lanes['to_server'].pump, client, link.server),
            self._pumps.spawn(self._lanes['to_client'].pump, link.server, client),
        ]
        try:
            gevent.joinall(link.pumps)
        finally:
            self._links.discard(link)
            link.close()


class _Lane:
    """One direction of all connections: whether bytes pass (`open`), and how fast (`rate`)."""

    def __init__(self) -> None:
        self.open = Event()
        self.open.set()
        self.rate: float | None = None

    def pump(self, source: Any, target: Any) -> None:
        """Forward bytes between two sockets until one of them ends."""
        with suppress(OSError):
            while data := source.recv(self._portion()):
                if self.rate is not None:
                    gevent.sleep(len(data) / self.rate)
                self.open.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _portion(self) -> int:
        """Return the bytes to forward at a time: a 20th of a second's worth on a slow lane."""
        return _CHUNK if self.rate is None else max(1, min(_CHUNK, int(self.rate / 20)))


class _Link:
    """The connection of a client, with the one to the server for it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.server: Any = None
        self.pumps: list[gevent.Greenlet[..., object]] = []

    def reset(self) -> None:
        """Close both connections with a TCP reset."""
        for each in (self.client, self.server):
            if each is not None:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close both connections."""
        gevent.killall(self.pumps, block=False)
        for each in (self.client, self.server):
            if each is not None:
                each.close()
