"""One address of a broker: how to connect to it, and its name without the password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kombu import connection as kombu

from lymph.config.printable import printable
from lymph.core.addresses import join_address
from lymph.events.kombu._connecting.errors import (
    BROKEN,
    BrokerError,
    cannot_connect,
    explain,
    refuses_login,
)
from lymph.events.kombu._rabbitmq.channels import AmqpConnection
from lymph.events.kombu._rabbitmq.fast_channels import AmqpTransport

__all__ = ['Broker']


class Broker:
    """One address; `params` are the arguments of `kombu.Connection` for it.

    Its `str` is ``amqp://user@host:port/virtual host``, without the password.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = {**params, 'transport': AmqpTransport}
        client = self._client()
        defaults = client.transport.default_connection_params
        user = client.userid or defaults['userid']
        host = client.hostname or defaults['hostname']
        port = client.port or defaults['port']
        self._tls = bool(client.ssl)
        scheme = 'amqps' if self._tls else 'amqp'
        self.user = user
        self.virtual_host = client.virtual_host
        self.connect_timeout = client.connect_timeout
        address = join_address(host, port)
        self._name = printable(f'{scheme}://{user}@{address}/{client.virtual_host}')

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f'<Broker {self}>'

    def connect(self) -> AmqpConnection:
        """Return an open connection.

        Raises BrokerError when the connection is not open within the connect timeout (5 s by
        default), or is refused. Any other error comes from py-amqp and means that the answer is not
        that of a broker.
        """
        transport = self._client().transport
        try:
            connection: AmqpConnection = transport.establish_connection()
        except BROKEN as error:
            # these errors may contain what was sent, such as passwords, so they are not chained
            raise BrokerError(self._failure(error)) from None
        return connection

    def _client(self) -> kombu.Connection:
        # a new object each time, because kombu writes its defaults into it
        return kombu.Connection(**self._params)  # type: ignore[no-untyped-call]

    def _failure(self, error: Exception) -> str:
        why = explain(error)
        if refuses_login(error):
            return (
                f'{self}: expected access for the user {self.user!r} to the virtual host '
                f'{self.virtual_host!r}, found {why}; '
                'check userid, password and virtual_host, and the permissions of the user'
            )
        return cannot_connect(self, why, 'the broker', self._tls)
