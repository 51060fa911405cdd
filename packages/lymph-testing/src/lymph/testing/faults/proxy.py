"""A TCP proxy that fails on demand: put it between a client and its server and break the network.

===============  ===============================================================================
`refuse()`       nobody listens: new connections are refused, those that stand go on
`cut()`          every connection is reset, as by a router that lost its state
`blackhole(d)`   connections stand and can be made, but nothing arrives in direction `d`
`slow(rate, d)`  `rate` bytes a second arrive in direction `d`, over each connection
`heal()`         everything works again; what a black hole held back arrives
===============  ===============================================================================

Directions are ``to_server``, ``to_client`` and ``both``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import gevent
from gevent import socket
from gevent.event import Event
from gevent.pool import Group
from gevent.server import StreamServer

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['Direction', 'FaultProxy']

Direction = Literal['to_server', 'to_client', 'both']

_CHUNK = 65536
_RESET = struct.pack('ii', 1, 0)  # SO_LINGER of 0 seconds: closing sends RST


class FaultProxy:
    """Passes connections to a port of 127.0.0.1 on to `host`:`port`, with faults on demand.

    A context manager that starts and closes it. It runs in greenlets of this process. `on_connect`
    is called for every connection that is made through it.
    """

    def __init__(
        self, host: str, port: int, on_connect: Callable[[], object] | None = None
    ) -> None:
        self.target = (host, port)
        self.port = 0
        self.accepted = 0  # connections made through it so far
        self._on_connect = on_connect
        self._server: StreamServer | None = None
        self._pumps = Group()
        self._links: set[_Link] = set()
        self._lanes = {'to_server': _Lane(), 'to_client': _Lane()}

    @property
    def address(self) -> str:
        """Where it listens, as host:port; the same for as long as it lives."""
        return f'127.0.0.1:{self.port}'

    @property
    def connections(self) -> int:
        """How many connections stand."""
        return len(self._links)

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
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
        """Refuse new connections until `heal`; those that stand go on."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def cut(self) -> None:
        """Reset all connections; new ones can be made."""
        for link in tuple(self._links):
            link.reset()

    def blackhole(self, direction: Direction = 'both') -> None:
        """Let nothing arrive in a direction until `heal`, over any connection, old or new."""
        for lane in self._chosen(direction):
            lane.open.clear()

    def slow(self, rate: float, direction: Direction = 'both') -> None:
        """Let at most `rate` bytes a second arrive in a direction until `heal`."""
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

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

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
    """One direction of all connections."""

    def __init__(self) -> None:
        self.open = Event()
        self.open.set()
        self.rate: float | None = None

    def pump(self, source: Any, target: Any) -> None:
        with suppress(OSError):
            while data := source.recv(self._portion()):
                if self.rate is not None:
                    gevent.sleep(len(data) / self.rate)
                self.open.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _portion(self) -> int:
        """How much to pass on at a time: a slow lane trickles."""
        return _CHUNK if self.rate is None else max(1, min(_CHUNK, int(self.rate / 20)))


class _Link:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.server: Any = None
        self.pumps: list[gevent.Greenlet[..., object]] = []

    def reset(self) -> None:
        for each in (self.client, self.server):
            if each is not None:
                with suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        gevent.killall(self.pumps, block=False)
        for each in (self.client, self.server):
            if each is not None:
                each.close()
