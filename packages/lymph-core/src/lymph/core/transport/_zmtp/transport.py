"""The transport `zmtp`: ZeroMQ's wire protocol on TCP sockets in gevent's loop."""

from __future__ import annotations

import logging
import socket
from typing import Any

import gevent
from greenlet import getcurrent

from lymph.config import ConfigView
from lymph.core._protocol.zmtp.liveness import Liveness
from lymph.core._protocol.zmtp.session import ZmtpSession
from lymph.core._system.connecting import create_connection
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core.addresses import numeric
from lymph.core.greenlets import Pool
from lymph.core.transport._zmtp.flusher import Flusher
from lymph.core.transport._zmtp.link import ZmtpLink
from lymph.core.transport._zmtp.listener import ZmtpListener
from lymph.core.transport._zmtp.sockets import connects_to_itself, prepare
from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_UNRESPONSIVE_TIMEOUT,
    Link,
    LinkHandler,
    Listener,
    Transport,
)
from lymph.core.transport.buffers import Buffers
from lymph.core.transport.edge import Edge
from lymph.core.transport.endpoints import join_tcp, split_tcp

__all__ = ['ZmtpTransport']

logger = logging.getLogger(__name__)

HEARTBEAT_INTERVAL = 10.0  # seconds of silence after which a peer is pinged
HANDSHAKE_TIMEOUT = 10.0  # seconds from the TCP connection to the peer's READY
CONNECT_TIMEOUT = 5.0  # seconds for name resolution and the TCP connection


class ZmtpTransport(Transport):
    """Outgoing links are DEALERs, incoming links ROUTERs, without encryption (NULL).

    All times are in seconds.
    """

    schemes = ('tcp',)

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        unresponsive_timeout: float = DEFAULT_UNRESPONSIVE_TIMEOUT,
        *,
        max_buffered: int | None = None,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        super().__init__(max_message_size, unresponsive_timeout, max_buffered=max_buffered)
        self._buffers = Buffers(self.max_buffered, max_message_size)
        self._handshake_timeout = handshake_timeout
        self._connect_timeout = connect_timeout
        self._liveness = Liveness(heartbeat_interval, unresponsive_timeout)
        self._edge = Edge(logger)
        self._flusher = Flusher()
        self._links: set[ZmtpLink] = set()
        self._listeners: set[ZmtpListener] = set()
        self._connecting = Pool()
        self._openers: dict[ZmtpLink, gevent.Greenlet[..., None]] = {}
        self._looks = gevent.get_hub().loop.timer(self._liveness.tick, self._liveness.tick)
        self._availability = Availability('transport', running=True)
        abandon_in_children(self)

    @property
    def buffered(self) -> int:
        """Bytes of incomplete and of unsent messages that all links hold."""
        return self._buffers.held

    @classmethod
    def from_config(cls, config: ConfigView, **common: Any) -> Transport:
        """Make the transport; if `connect_timeout` exceeds the default limits, they are raised.

        Raises ConfigurationError.
        """
        given = config.get_float('connect_timeout', 0.0)
        if given > CONNECT_TIMEOUT:
            common |= {'connect_timeout': given, 'handshake_timeout': HANDSHAKE_TIMEOUT + given}
        return super().from_config(config, **common)

    def address(self, ip: str, port: int) -> str:
        """Return a ``tcp://`` endpoint."""
        return join_tcp(ip, port)

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at a ``tcp://`` endpoint; see `Transport.listen`."""
        self._availability.check(ValueError)
        host, port = split_tcp(endpoint)

        def accepted(sock: socket.socket, address: tuple[str, int]) -> None:
            link = self._new_link(join_tcp(address[0], address[1]), 'ROUTER', handler)
            try:
                link.attach(prepare(sock), self._handshake_timeout)
            except BaseException:
                link.close('it could not be accepted')
                raise

        listener = ZmtpListener(host, port, accepted, self._edge, self._listeners.discard)
        self._listeners.add(listener)
        return listener

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin to connect to a ``tcp://`` endpoint; see `Transport.connect`."""
        self._availability.check(ValueError)
        address = split_tcp(endpoint)
        link = self._new_link(endpoint, 'DEALER', handler)
        self._openers[link] = self._connecting.spawn(self._open, link, address)
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        if self._availability.forked:
            return
        self._connecting.kill()
        for listener in list(self._listeners):
            listener.close()
        for link in list(self._links):
            link.close('this side was closed')
        self._buffers.close()
        self._edge.close()

    def abandon(self) -> None:
        """In a forked child, close the copies of all sockets and refuse further use."""
        self._availability.abandon()
        self._looks.stop()
        self._buffers.close()
        for listener in self._listeners:
            listener.abandon()
        for link in self._links:
            link.abandon()

    def _new_link(self, peer: str, socket_type: str, handler: LinkHandler) -> ZmtpLink:
        link = ZmtpLink(
            peer,
            ZmtpSession(socket_type, self.max_message_size),
            self._edge,
            self._flusher,
            handler,
            self._forget,
            self.max_message_size,
            answers=socket_type == 'ROUTER',
            buffers=self._buffers,
        )
        if not self._links:
            self._looks.again(self._look)
        self._links.add(link)
        return link

    def _forget(self, link: ZmtpLink) -> None:
        self._links.discard(link)
        opener = self._openers.pop(link, None)
        if opener is not None and opener is not getcurrent():
            opener.kill(block=False)
        if not self._links:
            self._looks.stop()

    def _look(self) -> None:
        for link in list(self._links):
            try:
                link.look(self._liveness)
            except BaseException as error:  # noqa: BLE001 - the edge logs it
                self._edge.loop_failed(link.peer, error)

    def _open(self, link: ZmtpLink, address: tuple[str, int]) -> None:
        connecting = 'the TCP connection'
        if numeric(address[0]) is None:
            connecting = f'the address of {address[0]}, or {connecting} to it'
        link.stage = connecting
        try:
            sock = create_connection(address, timeout=self._connect_timeout)
        except OSError as error:
            link.close(f'connection failed: {error.strerror or error}')
            return
        finally:
            self._openers.pop(link, None)
        if connects_to_itself(sock):
            sock.close()
            link.close('connection failed: Connection refused')
        else:
            link.attach(prepare(sock), self._handshake_timeout)
