"""One address of a Redis: how to connect to it, and what to call it without its password.

redis-py speaks to it over gevent's own sockets, whether or not the standard library is patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
import redis
from gevent import socket
from kombu import connection as kombu

from lymph.config.printable import printable
from lymph.core._system.connecting import create_connection
from lymph.core.addresses import join_address
from lymph.events.kombu._connecting.errors import BrokerError, explain
from lymph.events.kombu._connecting.tls import secure

__all__ = ['BROKEN', 'CHUNK', 'RedisBroker', 'Socket']

CHUNK = 256 * 1024  #: bytes of a command that are sent at a time
_PORT = 6379

#: what redis-py raises when a connection does not do what it was asked to
BROKEN = (redis.RedisError, OSError)


class Socket(redis.Connection):
    """redis-py's connection, on a socket of gevent; `tls` are the options of `tls.secure`."""

    def __init__(self, tls: bool | Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._tls = tls
        self._received = 0

    def _connect(self) -> Any:
        sock = create_connection((self.host, self.port), self.socket_connect_timeout or 60.0)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # what the system has taken is soon on its way, however slow that is
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
            if self._tls:
                sock = secure(sock, self._tls, self.host)
            sock.settimeout(self.socket_timeout)
        except BaseException:
            sock.close()
            raise
        return _Watched(sock)

    @property
    def sock(self) -> Any:
        """The socket."""
        return self._sock

    @property
    def received(self) -> int:
        """How often something has arrived, of this or of the connection before."""
        if self.sock is not None:
            self._received = self.sock.received
        return self._received


class _Watched:
    """A socket of which it is known whether the other side goes on reading or writing.

    A read times out when nothing has arrived in time, unless a large command is still on its way:
    nobody answers before he has all of it.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._sent = 0  # chunks
        self.received = 0  # how often something has arrived

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


class RedisBroker:
    """Where to connect; `params` are the arguments of `kombu.Connection` for this one address.

    As text it reads ``redis://user@host:port/database``.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        # without a transport of its own it is only read, never connected
        client = kombu.Connection(**{**params, 'transport': 'redis'})  # type: ignore[no-untyped-call]
        self._tls = params.get('ssl') or False
        self.heartbeat = float(client.heartbeat or 0)
        self.connect_timeout = float(client.connect_timeout)
        host, port = client.hostname or 'localhost', int(client.port or _PORT)
        self.database = database(client.virtual_host)
        self._options = {
            'host': host,
            'port': port,
            'db': self.database,
            'username': client.userid,
            'password': client.password,
        }
        scheme = 'rediss' if self._tls else 'redis'
        user = f'{client.userid}@' if client.userid else ''
        address = join_address(host, port)
        self._name = printable(f'{scheme}://{user}{address}/{self._options["db"]}')

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f'<RedisBroker {self}>'

    def connect(self) -> Any:
        """Return an open `Socket`; raises BrokerError, for a refusal too.

        Any other error is that of redis-py, which cannot understand what answers.
        """
        connection: Any = Socket(
            self._tls,
            protocol=3,
            socket_timeout=2 * self.heartbeat or None,
            socket_connect_timeout=self.connect_timeout,
            **self._options,
        )
        try:
            with gevent.Timeout(self.connect_timeout, TimeoutError('no answer in time')):
                connection.connect()
        except BaseException as error:
            connection.disconnect()
            if not isinstance(error, BROKEN):
                raise
            raise BrokerError(self._failure(error)) from None
        return connection

    def _failure(self, error: BaseException) -> str:
        why = explain(error)
        if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthorizationError)):
            user = self._options['username'] or 'default'
            return (
                f'{self}: expected access for the user {user!r}, found {why}; '
                'check userid and password'
            )
        return (
            f'{self}: cannot connect: {why}; '
            'check the address, and that Redis runs and can be reached from here'
        )


def database(virtual_host: str | None) -> int:
    """Return the number of the database that a virtual host of kombu names; raises ValueError."""
    return int(str(virtual_host or '').strip('/') or 0)
