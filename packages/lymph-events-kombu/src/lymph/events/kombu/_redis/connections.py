"""redis-py's connection on gevent's sockets, or on its own sockets if redis-py is not as expected.

======================  ==========================================================================
`GeventConnection`      overrides `redis.Connection._connect`, a method that redis-py does not
                        document; works with any standard library
`PublicConnection`      uses only documented names of redis-py; needs a patched standard library
                        and lacks more, see there
`RedisConnection`       the class that this process uses
======================  ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import redis
from gevent import socket
from gevent.monkey import is_module_patched

from lymph.core._system.connecting import create_connection
from lymph.core._system.private_parts import as_expected, assigns, takes
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.tls import secure, verify_mode

__all__ = ['CHUNK', 'GeventConnection', 'PublicConnection', 'RedisConnection']

CHUNK = 256 * 1024  #: bytes of a command that are sent at a time

#: the argument of `redis.SSLConnection` for each option of `tls`
_TLS_ARGUMENTS = {
    'certfile': 'ssl_certfile',
    'keyfile': 'ssl_keyfile',
    'check_hostname': 'ssl_check_hostname',
    'ciphers': 'ssl_ciphers',
}


class GeventConnection(redis.Connection):
    """A connection to Redis on a gevent socket.

    `tls` are the options of `tls.secure`, `options` the arguments of `redis.Connection`. `connect`
    raises RedisError or OSError.
    """

    def __init__(self, tls: bool | Mapping[str, Any], **options: Any) -> None:
        self._tls = tls
        self._watched: _WatchedSocket | None = None
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def _connect(self) -> Any:
        sock = create_connection((self.host, self.port), self.socket_connect_timeout or 60.0)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A small buffer: data that the system has accepted leaves soon, even on a slow network.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
            if self._tls:
                sock = secure(sock, self._tls, self.host)
            sock.settimeout(self.socket_timeout)
        except BaseException:
            sock.close()
            raise
        self._watched = _WatchedSocket(sock)
        return self._watched

    @property
    def is_open(self) -> bool:
        """Whether the socket is open; a loss is noticed only at the next read or write."""
        return self._watched is not None and self._watched.fileno() >= 0

    @property
    def received(self) -> int:
        """The number of reads that returned data."""
        return self._watched.received if self._watched is not None else 0

    def abandon(self) -> None:
        """Drop the connection in a forked child, without sending anything."""
        if self.is_open and self._watched is not None:
            # The loop still watches the descriptor, so it stays open and refers to a socket pair
            # whose other end is closed.
            ended, other = socket.socketpair()
            os.dup2(ended.fileno(), self._watched.fileno(), inheritable=False)
            ended.close()
            other.close()


class _WatchedSocket:
    """A socket that counts reads, and knows whether a large command is still being sent.

    A read times out when nothing arrives in time, unless part of a command was sent meanwhile:
    Redis answers a command only when it has all of it.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._sent = 0  # full chunks
        self.received = 0

    def recv(self, *arguments: Any) -> Any:
        return self._receive(self._sock.recv, arguments)

    def recv_into(self, *arguments: Any) -> Any:
        return self._receive(self._sock.recv_into, arguments)

    def sendall(self, data: bytes | memoryview) -> None:
        self._sock.sendall(data)
        if len(data) >= CHUNK:
            self._sent += 1

    def _receive(self, receive: Any, arguments: Any) -> Any:
        while True:
            sent = self._sent
            try:
                found = receive(*arguments)
            except TimeoutError:
                if sent == self._sent:
                    raise
            else:
                self.received += 1
                return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class PublicConnection:
    """A connection to Redis on redis-py's own socket, with the arguments of `GeventConnection`.

    It counts replies, not reads: a reply that takes longer than the timeout of its call counts as
    silence. The send buffer keeps the system's size. TLS is refused with the options `ca_certs` and
    `server_hostname`: redis-py would trust the system's authorities besides `ca_certs`, and cannot
    expect another name than the host's.

    Raises BrokerError if the standard library is not patched, or for these options.
    """

    def __init__(self, tls: bool | Mapping[str, Any], **options: Any) -> None:
        if not is_module_patched('socket'):
            raise BrokerError(
                'this version of redis-py needs a patched standard library; call '
                'lymph.monkey.patch() before other imports'
            )
        self._connection: Any = (
            redis.SSLConnection(**_tls_arguments(tls), **options)
            if tls
            else redis.Connection(**options)  # type: ignore[no-untyped-call]
        )
        self._sent = 0  # chunks
        self.is_open = False
        self.received = 0  #: the number of replies

    def connect(self) -> None:
        """Connect and log in; raises RedisError or OSError."""
        self._connection.connect()
        self.is_open = True

    def disconnect(self) -> None:
        """Close the connection."""
        self.is_open = False
        self._connection.disconnect()

    def abandon(self) -> None:
        """Drop the connection in a forked child, without sending anything."""
        self.disconnect()  # redis-py does not shut down a socket that another process made

    def pack_command(self, *command: Any) -> Any:
        """Return the bytes of a command; raises ValueError or DataError."""
        return self._connection.pack_command(*command)

    def send_packed_command(
        self, command: Iterable[bytes | memoryview], check_health: bool = True
    ) -> None:
        """Send chunks of packed commands; raises RedisError."""
        self._connection.send_packed_command(self._counted(command), check_health)

    def read_response(self, push_request: bool = False) -> Any:
        """Wait for a reply and return it; raises RedisError, for an error as the reply too."""
        while True:
            sent = self._sent
            try:
                reply = self._connection.read_response(
                    disconnect_on_error=False, push_request=push_request
                )
            except redis.TimeoutError:
                if sent != self._sent:
                    continue  # redis-py's parser keeps what has arrived
                self.disconnect()
                raise
            except redis.ResponseError:
                self.received += 1
                raise
            except BaseException:
                self.disconnect()
                raise
            self.received += 1
            return reply

    def _counted(self, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for chunk in chunks:
            yield chunk
            self._sent += len(chunk) >= CHUNK


def _tls_arguments(tls: bool | Mapping[str, Any]) -> dict[str, Any]:
    options: Mapping[str, Any] = tls if isinstance(tls, Mapping) else {}
    refused = sorted({'ca_certs', 'server_hostname'} & set(options))
    if refused:
        raise BrokerError(
            f'ssl.{refused[0]} cannot be used with this version of redis-py; install one that '
            'docs/private-parts.md lists'
        )
    known = {name: options[key] for key, name in _TLS_ARGUMENTS.items() if key in options}
    return {'ssl_cert_reqs': verify_mode(options), **known}


def _is_expected() -> bool:
    connection = redis.Connection
    return (
        takes(connection._connect, 'self')  # noqa: SLF001 - this is the check
        and assigns(connection.connect_check_health, '_connect', '_sock')
        and assigns(connection.send_packed_command, '_sock', 'sendall')
    )


#: the class of connections in this process
RedisConnection: type[GeventConnection] | type[PublicConnection] = (
    GeventConnection
    if as_expected('redis', 'Connection._connect', _is_expected)
    else PublicConnection
)
