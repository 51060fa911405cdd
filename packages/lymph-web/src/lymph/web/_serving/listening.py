"""Listening sockets of an HTTP server.

=========  ==============================  =====================================================
kind       who else accepts from it        at its end
=========  ==============================  =====================================================
own        nobody                          what waits is accepted, then clients are refused
shared     processes that inherited it     what waits stays for these
reused     nobody; the port has other      what waits is accepted, new clients get another of
           sockets (SO_REUSEPORT)          the sockets
=========  ==============================  =====================================================
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from gevent.monkey import get_original

from lymph.core._system.blocking import in_thread
from lymph.core._system.inherited import adopt, adopt_file
from lymph.core._system.resolving import resolver
from lymph.web._serving.handshakes import accept_all_again, await_handshakes, begin_no_more
from lymph.web._serving.socket_files import SocketFile, bind_file

__all__ = ['ListeningSocket', 'listen_at_file', 'listen_at_port']

_BACKLOG = 1024  # connections that may wait until they are accepted; Linux allows at most 4096
_LOOK_UP = 5.0  # seconds to look up a host name

_Socket: type[socket.socket] = get_original('socket', 'socket')


class ListeningSocket:
    """A plain, non-blocking socket that listens, and what belongs to it."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        shared: bool = False,
        reused: bool = False,
        file: SocketFile | None = None,
    ) -> None:
        self.socket = sock
        #: whether other processes accept from the socket, too
        self.shared = shared
        self._reused = reused
        self._turned_away = False
        self._file = file
        if sock.family != socket.AF_UNIX:
            with suppress(OSError):
                # accepted sockets inherit it: small answers leave without delay
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def port(self) -> int | None:
        """The port; None for a unix socket."""
        is_file = self.socket.family == socket.AF_UNIX
        return None if is_file else int(self.socket.getsockname()[1])

    def turn_away(self) -> None:
        """Prevent new connections, where that is possible before the socket is closed.

        Returns when connections that have begun can be accepted; this may take up to a second.
        """
        if self._file is not None:
            self._file.remove()
            self._file = None
        if self._reused and begin_no_more(self.socket):
            self._turned_away = True
            await_handshakes(self.port or 0)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a plain, non-blocking socket and the address of a client. Raises as `accept`."""
        sock, address = self.socket.accept()
        plain = _Socket(sock.family, sock.type, sock.proto, sock.detach())
        plain.setblocking(False)
        if self._turned_away:
            accept_all_again(plain)
        return plain, address

    def close(self) -> None:
        """Close the socket in this process."""
        if self._file is not None:
            self._file.remove()
        self.socket.close()


def listen_at_port(host: str, port: int, *, reuse_port: bool = False) -> ListeningSocket:
    """Listen at a port of a host, 0 for a random one. IPv4 comes first if a host name has both.

    A socket for the port that this process has inherited is used. Otherwise, with `reuse_port`,
    other processes of the same user that set it can listen at the port, too. ``::`` includes IPv4.

    Raises OSError, `socket.gaierror` for an unknown host, SocketMismatch as `adopt` does.
    """
    inherited = adopt(host, port)
    if inherited is not None:
        return ListeningSocket(inherited, shared=True)
    found = resolver().addresses(host, port, _LOOK_UP)
    family, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    sock = _Socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return ListeningSocket(sock, reused=reuse_port)


def listen_at_file(path: str, mode: int) -> ListeningSocket:
    """Listen at a unix socket. The file of one where nobody listens any more is replaced.

    A socket for the path that this process has inherited is used as it is.

    Raises OSError: EADDRINUSE if somebody listens there, EEXIST if the file is not a socket.
    """
    inherited = adopt_file(path)
    if inherited is not None:
        return ListeningSocket(inherited, shared=True)
    sock, file = in_thread(bind_file, path, mode, _BACKLOG)
    return ListeningSocket(sock, file=file)
