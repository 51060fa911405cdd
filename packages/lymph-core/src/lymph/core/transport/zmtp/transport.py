"""The transport `zmtp`: ZeroMQ's wire protocol on gevent sockets."""

from __future__ import annotations

from collections.abc import Callable

from gevent.server import StreamServer
from gevent.socket import create_connection, socket

from lymph.core.greenlets import Pool
from lymph.core.protocol.zmtp.session import Session
from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    Link,
    LinkHandler,
    Listener,
    Transport,
)
from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zmtp.flusher import Flusher
from lymph.core.transport.zmtp.link import ZmtpLink

__all__ = ['ZmtpTransport']

CONNECT_TIMEOUT = 5.0  # seconds for name resolution and the TCP connection
_BACKLOG = 1024  # connections the kernel holds while the loop is busy

_Accepted = Callable[[socket, tuple[str, int]], None]


class ZmtpTransport(Transport):
    """DEALER links out, ROUTER links in, NULL mechanism."""

    schemes = ('tcp',)

    def __init__(self, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE) -> None:
        super().__init__(max_message_size)
        self._flusher = Flusher()
        self._links: set[ZmtpLink] = set()
        self._listeners: set[ZmtpListener] = set()
        self._connecting = Pool()

    def address(self, ip: str, port: int) -> str:
        """Return a ``tcp://`` endpoint."""
        return f'tcp://[{ip}]:{port}' if ':' in ip else f'tcp://{ip}:{port}'

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at a ``tcp://`` endpoint; see `Transport.listen`."""
        host, port = split_tcp(endpoint)

        def accepted(sock: socket, address: tuple[str, int]) -> None:
            self._new_link(f'tcp://{address[0]}:{address[1]}', 'ROUTER', handler).attach(sock)

        listener = ZmtpListener(host, port, accepted)
        self._listeners.add(listener)
        return listener

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin a link to a ``tcp://`` endpoint; see `Transport.connect`."""
        address = split_tcp(endpoint)
        link = self._new_link(endpoint, 'DEALER', handler)
        self._connecting.spawn(self._open, link, address)
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        self._connecting.kill()
        for listener in list(self._listeners):
            listener.close()
        self._listeners.clear()
        for link in list(self._links):
            link.close('this side was closed')

    def _new_link(self, peer: str, socket_type: str, handler: LinkHandler) -> ZmtpLink:
        session = Session(socket_type, self.max_message_size)
        link = ZmtpLink(peer, session, self._flusher, handler, self._links.discard)
        self._links.add(link)
        return link

    def _open(self, link: ZmtpLink, address: tuple[str, int]) -> None:
        try:
            sock = create_connection(address, timeout=CONNECT_TIMEOUT)
        except OSError as error:
            link.close(f'connection failed: {error.strerror or error}')
        else:
            link.attach(sock)


class ZmtpListener(Listener):
    """Accepts TCP connections in the hub and hands their sockets over."""

    def __init__(self, host: str, port: int, accepted: _Accepted) -> None:
        self._server = _Server((host, port), accepted)
        self._server.start()
        host = f'[{host}]' if ':' in host else host
        self.endpoint = f'tcp://{host}:{self._server.server_port}'

    def close(self) -> None:
        """Accept no more links."""
        self._server.close()


class _Server(StreamServer):
    """A server whose handler keeps the socket; gevent's would close it when the handler returns."""

    def __init__(self, address: tuple[str, int], accepted: _Accepted) -> None:
        super().__init__(address, accepted, backlog=_BACKLOG)
        self._accepted = accepted

    def do_handle(self, sock: socket, address: tuple[str, int]) -> None:
        self._accepted(sock, address)
