"""RabbitMQ's management API, for facts about queues that AMQP does not provide.

The API is an optional plugin, so it is used only if `container.events.management` has its address.
Its figures are updated every 5 s by default. Source: the plugin's documentation of
``/api/queues``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import gevent

from lymph.config.printable import quoted
from lymph.core._system.connecting import create_connection
from lymph.core.addresses import join_address
from lymph.events.kombu._connecting.errors import BrokerError, explain
from lymph.events.kombu._connecting.tls import secure

__all__ = ['Figures', 'Management']

T = TypeVar('T')

_PORTS = {'http': 15672, 'https': 15671}
_TIMEOUT = 5.0  # seconds
_MOST = 64 << 20  # bytes of an answer
_COLUMNS = 'name,arguments,message_bytes_ready,messages_unacknowledged,messages_ready,consumers'


@dataclass(frozen=True)
class Figures:
    """The API's figures about a queue; None where it has no statistics yet.

    ====================  ====================================================================
    bytes                 size of the events that wait
    running               events that were delivered and are not settled
    dead_letter_exchange  the exchange that its dead letters go to
    waiting               events that wait
    consumers             consumers of the queue
    ====================  ====================================================================
    """

    bytes: int | None
    running: int | None
    dead_letter_exchange: str | None
    waiting: int | None = None
    consumers: int | None = None


@dataclass(frozen=True)
class Management:
    """The address of the API and the credentials for it. Its `str` contains no credentials."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Management:
        """Parse ``http(s)://user:password@host:port``.

        User and password are `guest` by default, the port is 15672, or 15671 for https. Raises
        ValueError for anything else.
        """
        parts = urlsplit(url)
        rest = parts.path.strip('/') or parts.query or parts.fragment
        if parts.scheme not in _PORTS or not parts.hostname or rest:
            raise ValueError('expected http(s)://user:password@host:port')
        port = parts.port or _PORTS[parts.scheme]
        user, password = parts.username or 'guest', parts.password or 'guest'
        return cls(parts.scheme, parts.hostname, port, unquote(user), unquote(password))

    def __str__(self) -> str:
        return f'{self.scheme}://{join_address(self.host, self.port)}'

    def read(self, virtual_host: str) -> Mapping[str, Figures]:
        """Return the figures of all queues of a virtual host, by name.

        Raises BrokerError when the API does not answer within 5 s, refuses, or answers something
        else.
        """
        path = f'queues/{quote(virtual_host, safe="")}?columns={_COLUMNS}'
        return self._read(path, lambda row: (row['name'], _figures(row)))

    def bound(self, virtual_host: str, exchange: str) -> Mapping[str, Any]:
        """Return a mapping whose keys are the names of the queues bound to an exchange.

        Raises BrokerError as `read` does.
        """
        host, name = quote(virtual_host, safe=''), quote(exchange, safe='')
        path = f'exchanges/{host}/{name}/bindings/source'
        found = self._read(path, lambda row: (str(row['destination']), row['destination_type']))
        return {name: kind for name, kind in found.items() if kind == 'queue'}

    def _read(self, path: str, pair: Callable[[Any], tuple[str, T]]) -> Mapping[str, T]:
        """Return a mapping of `pair(row)` for each row of the answer; raises BrokerError."""
        late = TimeoutError(f'no answer within {_TIMEOUT:g} s')
        try:
            with gevent.Timeout(_TIMEOUT, late):
                rows = json.loads(self._get(f'/api/{path}'))
            return dict(map(pair, rows))
        except (OSError, HTTPException) as error:
            raise BrokerError(f'the management API at {self}: {explain(error)}') from error
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise BrokerError(f'the management API at {self}: found another answer') from error

    def _get(self, path: str) -> bytes:
        login = base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()
        sock = create_connection((self.host, self.port), _TIMEOUT)
        try:
            connection = HTTPConnection(self.host, self.port)
            connection.sock = secure(sock, {}, self.host) if self.scheme == 'https' else sock
            connection.request('GET', path, headers={'Authorization': f'Basic {login}'})
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(f'it answers {answer.status} {quoted(answer.reason)}')
            body = answer.read(_MOST + 1)
            if len(body) > _MOST:
                raise OSError(f'it answers more than {_MOST >> 20} MiB')
            return body
        finally:
            sock.close()


def _figures(row: Mapping[str, Any]) -> Figures:
    exchange = row.get('arguments', {}).get('x-dead-letter-exchange')
    return Figures(
        _number(row.get('message_bytes_ready')),
        _number(row.get('messages_unacknowledged')),
        exchange if isinstance(exchange, str) else None,
        _number(row.get('messages_ready')),
        _number(row.get('consumers')),
    )


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
