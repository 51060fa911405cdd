"""One address of a Redis: how to connect to it, and its name without the password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
import redis
from kombu import connection as kombu

from lymph.config.printable import printable
from lymph.core.addresses import join_address
from lymph.events.kombu._connecting.errors import BrokerError, cannot_connect, explain
from lymph.events.kombu._redis.connections import RedisConnection

__all__ = ['BROKEN', 'RedisBroker', 'system_error']

_PORT = 6379

#: the errors of redis-py when a connection fails
BROKEN = (redis.RedisError, OSError)


class RedisBroker:
    """One address; `params` are the arguments of `kombu.Connection` for it.

    Its `str` is ``redis://user@host:port/database``, without the password.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        # used to parse the arguments, never connected
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
        """Return an open `RedisConnection`.

        Raises BrokerError when the connection fails or is refused. Any other error comes from
        redis-py and means that the answer is not that of a Redis.
        """
        connection: Any = None
        try:
            connection = RedisConnection(
                self._tls,
                protocol=3,
                socket_timeout=2 * self.heartbeat or None,
                socket_connect_timeout=self.connect_timeout,
                **self._options,
            )
            with gevent.Timeout(self.connect_timeout, TimeoutError()):
                connection.connect()
        except BaseException as error:
            if connection is not None:
                connection.disconnect()
            if not isinstance(error, (*BROKEN, BrokerError)):
                raise
            raise BrokerError(self._failure(error)) from None
        return connection

    def _failure(self, error: Exception) -> str:
        if isinstance(error, (redis.TimeoutError, TimeoutError)):
            why = f'no answer within {self.connect_timeout:g} s'
        else:
            why = explain(system_error(error))
        # These already say what to do.
        if isinstance(error, BrokerError):
            return f'{self}: {why}'
        if isinstance(error, (redis.AuthenticationError, redis.exceptions.AuthorizationError)):
            user = self._options['username'] or 'default'
            found = why if self._options['password'] else 'no password'
            return (
                f'{self}: expected access for the user {user!r}, found {found}; '
                'check userid and password'
            )
        # For instance the number of a database that this Redis does not have.
        if isinstance(error, redis.ResponseError):
            return (
                f'{self}: cannot connect: Redis answered {why!r}; '
                f'check the address and the number of the database, {self.database}'
            )
        return cannot_connect(self, why, 'Redis', bool(self._tls))


def system_error(error: Exception) -> Exception:
    """Return the error of the system that redis-py has wrapped, or `error` itself.

    redis-py's own text starts with the error number and repeats the address.
    """
    cause = error.__context__
    wraps = type(error) in (redis.ConnectionError, redis.TimeoutError)
    return cause if wraps and isinstance(cause, OSError) else error


def database(virtual_host: str | None) -> int:
    """Return the number of the database that a virtual host of kombu names; raises ValueError."""
    return int(str(virtual_host or '').strip('/') or 0)
